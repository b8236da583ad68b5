//! The way from a node up to the top of a row of nodes (tree-v1 §3): arithmetic only.

/// The node that is joined with ours on one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sibling {
    /// Its position in its level.
    pub position: u64,
    /// Whether it is the right one of the two.
    pub on_right: bool,
}

/// The levels above a node: an item a level, `None` where the node is the odd last one and is carried up unchanged.
#[derive(Clone, Copy, Debug)]
pub struct Climb {
    position: u64,
    count: u64,
}

impl Climb {
    /// From node `position` of a row of `count`. A position outside the row climbs nowhere.
    pub fn new(position: u64, count: u64) -> Climb {
        Climb { position, count: if position < count { count } else { 1 } }
    }

    /// The siblings on the way, in order.
    pub fn siblings(self) -> impl Iterator<Item = Sibling> + Clone {
        self.flatten()
    }
}

impl Iterator for Climb {
    type Item = Option<Sibling>;

    fn next(&mut self) -> Option<Option<Sibling>> {
        if self.count <= 1 {
            return None;
        }
        let Climb { position, count } = *self;
        let carried = position == count - 1 && count % 2 == 1;
        let sibling = Sibling { position: position ^ 1, on_right: position.is_multiple_of(2) };
        *self = Climb { position: position / 2, count: count.div_ceil(2) };
        Some((!carried).then_some(sibling))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(position: u64, count: u64) -> Vec<Option<u64>> {
        Climb::new(position, count).map(|level| level.map(|sibling| sibling.position)).collect()
    }

    #[test]
    fn a_lone_node_has_no_levels_above_it() {
        assert_eq!(positions(0, 1), []);
    }

    /// Five nodes: levels of 5, 3, 2, 1. Catches a carried node that is given a sibling, or loses a level.
    #[test]
    fn the_odd_last_node_is_carried_up() {
        assert_eq!(positions(4, 5), [None, None, Some(0)]);
        assert_eq!(positions(3, 5), [Some(2), Some(0), Some(1)]);
        assert_eq!(positions(0, 5), [Some(1), Some(1), Some(1)]);
    }

    #[test]
    fn a_position_outside_the_row_climbs_nowhere() {
        assert_eq!(positions(5, 5), []);
    }
}
