//! One behaviour of every index: the same cases on a file and on a PostgreSQL server, and what only one of them can suffer.
//!
//! The server is that of the URL in `HOLDFAST_POSTGRES` (`.ci/postgres.sh` starts one); without it those cases are ABSENT, and
//! `HOLDFAST_REQUIRE=postgres` makes that a failure.

#![allow(clippy::cast_possible_truncation, reason = "figures of tests are small")]

#[path = "index/cases.rs"]
mod cases;
#[path = "index/concurrent.rs"]
mod concurrent;
#[path = "index/embedded.rs"]
mod embedded;
#[path = "index/kill.rs"]
mod kill;
#[path = "index/model.rs"]
mod model;
#[path = "index/moving.rs"]
mod moving;
#[path = "index/numbered.rs"]
mod numbered;
#[path = "index/postgres.rs"]
mod postgres;
#[path = "index/servers.rs"]
mod servers;
#[path = "index/stores.rs"]
mod stores;
#[path = "index/workers.rs"]
mod workers;

/// Each case on each kind of store.
macro_rules! on_every_store {
    ($($module:ident::$case:ident),+ $(,)?) => {
        mod on_a_file {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let store = crate::stores::Store::file().await;
                crate::$module::$case(&store).await;
            })+
        }

        mod on_a_server {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                if let Some(store) = crate::stores::Store::server().await {
                    crate::$module::$case(&store).await;
                    store.remove().await;
                }
            })+
        }
    };
}

on_every_store![
    cases::values_are_set_replaced_and_removed,
    cases::tables_are_apart,
    cases::keys_are_in_the_order_of_their_bytes,
    cases::ranges_include_their_start_and_not_their_end,
    cases::scans_return_the_first_in_their_direction,
    cases::checks_compare_whole_values,
    cases::a_refused_commit_changes_nothing,
    cases::what_fits_the_limits_is_kept_and_what_does_not_is_refused,
    cases::entries_outlive_the_handle,
    cases::pages_meet_every_entry_once,
    cases::rows_that_are_not_of_their_types_are_named,
    concurrent::increments_of_many_handles_are_all_counted,
    concurrent::decisions_that_rest_on_absent_keys_are_not_made_twice,
    concurrent::commits_that_are_abandoned_are_whole_or_not_at_all,
    concurrent::work_is_done_over_after_a_conflict_and_not_after_its_own_error,
    concurrent::an_error_that_came_of_reads_of_two_moments_is_not_believed,
    concurrent::one_of_many_gets_a_lease,
    model::any_sequence_of_commits_does_what_a_map_does,
    moving::a_copy_is_equal_and_goes_into_an_empty_index_only,
];
