//! Scenarios: a file is one claim about the framework, checked through its public interface.
#![cfg(test)]

mod bank;
mod ledger;
mod support;

mod a_chain_of_handlers_commits_each_effect_once;
mod a_copy_of_a_message_has_no_effect;
mod a_failing_handler_stops_the_service_and_keeps_the_record;
mod a_half_done_position_resumes_with_what_is_left;
mod a_numbered_message_is_taken_once;
mod a_producer_inside_a_handler_is_an_error;
mod a_record_that_is_no_message_stops_the_service;
mod commit_errors_lose_and_double_nothing;
mod handlers_of_one_key_run_in_order;
mod handlers_run_side_by_side_unless_they_share_a_state;
mod layers_wrap_on_three_levels;
mod random_crashes_lose_and_double_nothing;
mod start_up_checks_name_handler_and_remedy;
mod the_same_seed_gives_the_same_trace;
mod the_store_refuses_an_app_that_lacks_something;
