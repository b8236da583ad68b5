//! Miners for pieces that are to be stored.

use holdfast_engine::account::Account;

use super::rooms::{Manner, Rooms, Taken, draws};
use super::{Candidate, PlacementError, Rules, SegmentKey};

/// Pieces of one segment that need miners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Which segment.
    pub segment: SegmentKey,
    /// How many pieces; each goes to an operator of its own.
    pub pieces: u8,
    /// Bytes of each.
    pub piece_bytes: u64,
    /// Miner and operator of each piece of the segment that is placed already: they take no other one.
    pub holders: Vec<(Account, Account)>,
}

/// Miners for all pieces of all needs, in the order of the needs: for all of them or none. The same arguments give the same
/// miners, in whatever order the candidates come.
///
/// Miners are drawn by weight (see [`Rules`]). Where that leads to an end that others would not, the needs are placed once more, the
/// largest pieces first, each with the operators that have the most room: for pieces of one size that finds a placement if there is
/// one.
///
/// # Errors
/// [`PlacementError`], of the first segment that is left without.
pub fn choose(
    candidates: &[Candidate],
    needs: &[Need],
    rules: &Rules,
    seed: &[u8; 32],
) -> Result<Vec<Vec<Account>>, PlacementError> {
    let rooms = Rooms::new(candidates.iter().copied(), rules)?;
    place(rooms.clone(), needs, seed, Manner::Weighted)
        .or_else(|_| place(rooms, needs, seed, Manner::MostRoom))
}

fn place(
    mut rooms: Rooms,
    needs: &[Need],
    seed: &[u8; 32],
    manner: Manner,
) -> Result<Vec<Vec<Account>>, PlacementError> {
    let mut chosen = vec![Vec::new(); needs.len()];
    let mut order: Vec<usize> = (0..needs.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(needs[at].piece_bytes));
    for at in order {
        let Need { segment, pieces, piece_bytes, holders } = &needs[at];
        let (miners, operators) = holders.iter().copied().unzip();
        let taken = Taken { miners, operators };
        let by = (manner, &mut draws(seed, *segment));
        chosen[at] = rooms.take(*segment, *piece_bytes, usize::from(*pieces), taken, by)?;
    }
    Ok(chosen)
}
