//! Which links are asked, and what they speak for.

use super::*;

/// Records with commitments, as links are about them.
fn committed<'w>(world: &'w World, miner: &Miner) -> (PlanTerms<'w>, MinerFacts) {
    let mut facts = miner.facts();
    let commit = |signed: &SignedRecord| {
        let record = ObjectRecord { table_root: Some([5; 32]), ..signed.record.clone() };
        record.sign(&Signer::development("owner"))
    };
    facts.records = facts.records.iter().map(commit).collect();
    (PlanTerms { link_one_in: Some(NonZeroU64::MIN), ..world.terms() }, facts)
}

#[test]
fn links_fall_by_lot_and_on_whoever_is_doubted() {
    let (world, miner) = settled();
    let (always, mut facts) = committed(&world, &miner);
    let all: BTreeSet<[u8; 32]> = facts.records.iter().map(|signed| signed.record.digest()).collect();
    assert_eq!(asked(&plan(&always, &facts), AuditKind::Link), all);
    let never = PlanTerms { link_one_in: None, ..always };
    let usual = plan(&never, &facts);
    assert!(asked(&usual, AuditKind::Link).is_empty());
    let trusted = asked(&usual, AuditKind::Possession);
    assert!(!trusted.is_empty());
    let stands_for = |plan: &MinerPlan| -> u64 { plan.questions.iter().map(|q| q.proven_object_bytes).sum() };
    assert!(stands_for(&plan(&always, &facts)) <= 145_000, "a link stands for nothing beside them");

    // All are doubted: asked for links, whatever the lottery says, and for what others are; they stand for nothing.
    facts.doubted = all.clone();
    let doubting = plan(&PlanTerms { link_one_in: Some(NonZeroU64::MAX), ..always }, &facts);
    assert_eq!(asked(&doubting, AuditKind::Link), all);
    assert_eq!(asked(&doubting, AuditKind::Possession), trusted);
    assert_eq!(stands_for(&doubting), 0);
    // Where no links are asked, who checked the commitments is trusted: else nobody could ever pass.
    assert!(stands_for(&usual) > 0);
    assert_eq!(stands_for(&plan(&never, &facts)), stands_for(&usual));
    assert_eq!(plan(&world.terms(), &miner.facts()).questions.len(), usual.questions.len());
}

/// Without commitments there is nothing to link, and before they are settled nobody asks.
#[test]
fn links_are_of_settled_commitments() {
    let (world, miner) = settled();
    let (always, facts) = committed(&world, &miner);
    let bare = MinerFacts { records: miner.records(), ..facts.clone() };
    assert!(asked(&plan(&always, &bare), AuditKind::Link).is_empty());
    let first = facts.records.iter().map(|signed| signed.record.height).min().expect("three");
    let early = PlanTerms { height: first + world.policy.finality_blocks - 1, ..always };
    assert!(asked(&plan(&early, &facts), AuditKind::Link).is_empty());
}

/// Small objects without number do not keep a large one from being asked.
#[test]
fn where_links_are_too_many_they_fall_by_bytes() {
    let (world, miner) = settled();
    let (always, mut facts) = committed(&world, &miner);
    let large =
        facts.records.iter().max_by_key(|signed| signed.record.replica.length()).expect("three").clone();
    let small = |number: u64| {
        let root = *blake3::hash(&number.to_le_bytes()).as_bytes();
        let replica = Replica::new(root, 1, 0).expect("short");
        ObjectRecord { replica, ..large.record.clone() }.sign(&Signer::development("owner"))
    };
    facts.records = (0..200).map(small).chain([large.clone()]).collect();
    let asked = asked(&plan(&always, &facts), AuditKind::Link);
    assert_eq!(asked.len(), link::DRAWN_MAX);
    assert!(asked.contains(&large.record.digest()), "its bytes are five hundred times those of all others");
}

/// Doubts without number keep nobody else from being asked, nor the other way round.
#[test]
fn doubted_and_drawn_links_have_places_of_their_own() {
    let (world, miner) = settled();
    let (always, mut facts) = committed(&world, &miner);
    let of_number = |number: usize| {
        let root = *blake3::hash(&number.to_le_bytes()).as_bytes();
        let replica = Replica::new(root, 20_000, 0).expect("short");
        ObjectRecord { replica, ..facts.records[0].record.clone() }.sign(&Signer::development("owner"))
    };
    facts.records = (0..1200).map(of_number).collect();
    let digest = |signed: &SignedRecord| signed.record.digest();
    facts.doubted = facts.records[..1000].iter().map(digest).collect();
    let plan = plan(&always, &facts);
    let asked = asked(&plan, AuditKind::Link);
    let doubted = asked.intersection(&facts.doubted).count();
    assert_eq!((doubted, asked.len() - doubted), (link::DOUBTED_MAX, link::DRAWN_MAX));
}

/// Whichever are left of too many, they speak for the bytes of all that the lot fell on, large ones and small ones in their share: a miner whose large
/// objects are right does not hide the small ones that are not, nor the other way round.
#[test]
fn links_speak_for_the_bytes_of_all_that_the_lot_fell_on() {
    let (world, miner) = settled();
    let (always, mut facts) = committed(&world, &miner);
    let of_number = |number: u64| {
        let root = *blake3::hash(&number.to_le_bytes()).as_bytes();
        let bytes = if number < LARGE { 1_000_000 } else { 10_000 };
        let replica = Replica::new(root, bytes, 0).expect("short");
        ObjectRecord { replica, ..facts.records[0].record.clone() }.sign(&Signer::development("owner"))
    };
    const LARGE: u64 = 4;
    const SMALL: u64 = 400;
    const BEACONS: u64 = 200;
    facts.records = (0..LARGE + SMALL).map(of_number).collect();
    let (mut large, mut small) = (0, 0);
    for number in 0..BEACONS {
        let beacon = *blake3::hash(&number.to_le_bytes()).as_bytes();
        let links = link::links(&PlanTerms { beacon, ..always }, &facts, &facts.records);
        assert_eq!(links.len(), link::DRAWN_MAX);
        for question in links {
            let bytes = question.challenge.of_object().expect("of an object").replica.length();
            let linked = question.linked_bytes.expect("by lot");
            *if bytes == 1_000_000 { &mut large } else { &mut small } += linked;
        }
    }
    // Each 4 MB on average.
    for linked in [large, small] {
        assert!((3_600_000..4_400_000).contains(&(linked / BEACONS)), "{}", linked / BEACONS);
    }

    // Where all are asked, each speaks for itself; doubted ones for nothing.
    facts.records.truncate(10);
    let digests: Vec<_> = facts.records.iter().map(|signed| signed.record.digest()).collect();
    facts.doubted = digests[..2].iter().copied().collect();
    let links = link::links(&always, &facts, &facts.records);
    let linked: Vec<u64> = links.iter().filter_map(|question| question.linked_bytes).collect();
    assert_eq!((links.len(), linked.len(), linked.iter().sum::<u64>()), (10, 8, 2 * 1_000_000 + 6 * 10_000));
}
