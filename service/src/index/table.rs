//! The names of the tables.

use std::fmt;

/// The tables of an index. What keys and values are is the owner's business, who writes it down as a
/// [`super::TypedTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Miners that a validator knows: endpoints, partitions, what they registered.
    Miners,
    /// Owners' files: the manifests that say of which pieces they consist.
    Files,
    /// Pieces of files, and which miner holds each.
    Pieces,
    /// Audit rounds: what was asked of whom, and how far a round is.
    Rounds,
    /// Receipts of audits.
    Receipts,
    /// The newest link of each pair's chain of receipts, and evidence against those who forked one.
    Chains,
    /// Scores and tiers.
    Scores,
    /// Who may do what only one process may do ([`super::lease`]).
    Leases,
    /// Requests that were answered already, so that a repeated one is not done twice.
    Tickets,
    /// Objects that a miner stores, for whom and until when.
    Objects,
    /// Single values of a process: format versions, cursors.
    Settings,
}

impl Table {
    /// All of them, in the order of their declaration.
    pub const ALL: [Table; 11] = [
        Table::Miners,
        Table::Files,
        Table::Pieces,
        Table::Rounds,
        Table::Receipts,
        Table::Chains,
        Table::Scores,
        Table::Leases,
        Table::Tickets,
        Table::Objects,
        Table::Settings,
    ];

    /// The name in storage. Names are never changed or used again.
    pub const fn name(self) -> &'static str {
        match self {
            Table::Miners => "miners",
            Table::Files => "files",
            Table::Pieces => "pieces",
            Table::Rounds => "rounds",
            Table::Receipts => "receipts",
            Table::Chains => "chains",
            Table::Scores => "scores",
            Table::Leases => "leases",
            Table::Tickets => "tickets",
            Table::Objects => "objects",
            Table::Settings => "settings",
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}
