//! The command line from outside: real processes of the built binary, as scripts and new users meet it.
//!
//! - `contract`: the forms, JSON and exit codes that scripts rely on
//! - `receipts`: chain files of partitions and objects
//! - `mistakes`: wrong flags, missing and foreign files, unreadable directories, full disks
//! - `interrupted`: signals and kills in the middle of a fill
//! - `objects`, `object_mistakes`: the same of user objects and their audits
//! - `round`: audits of windows and objects together
//! - `gpus`: jobs on graphics processors, and machines that have none
//! - `simulated_chain`: the chain in a directory, its driver killed and interrupted
//! - `validator`: simulations of scoring
//! - `running_validator`: a validator on a chain that goes on: its status, its export, its index moved
//! - `units`: what units of systemd start
//! - `help`: the help texts, word for word

#[path = "cli/support.rs"]
mod support;

#[path = "cli/contract.rs"]
mod contract;
#[path = "cli/gpus.rs"]
mod gpus;
#[path = "cli/help.rs"]
mod help;
#[path = "cli/interrupted.rs"]
mod interrupted;
#[path = "cli/mistakes.rs"]
mod mistakes;
#[path = "cli/object_mistakes.rs"]
mod object_mistakes;
#[path = "cli/objects.rs"]
mod objects;
#[path = "cli/receipts.rs"]
mod receipts;
#[path = "cli/round.rs"]
mod round;
#[path = "cli/running_validator.rs"]
mod running_validator;
#[path = "cli/simulated_chain.rs"]
mod simulated_chain;
#[path = "cli/units.rs"]
mod units;
#[path = "cli/validator.rs"]
mod validator;
