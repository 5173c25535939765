//! The stories that mostly wait, for a retry or a limit. They are told side by side: one after the other,
//! they would hold up the other tests for half a minute.

/// The name of each story, and the story.
const STORIES: &[(&str, fn())] = &[
    (
        "wire::a_refused_connection_is_tried_again_and_then_given_up",
        crate::wire::a_refused_connection_is_tried_again_and_then_given_up,
    ),
    (
        "wire::a_creation_without_an_answer_is_not_repeated",
        crate::wire::a_creation_without_an_answer_is_not_repeated,
    ),
    (
        "wire::verbose_tells_of_calls_without_an_answer",
        crate::wire::verbose_tells_of_calls_without_an_answer,
    ),
    (
        "wire::a_server_that_asks_to_wait_is_waited_for",
        crate::wire::a_server_that_asks_to_wait_is_waited_for,
    ),
    (
        "wire_proxies::a_proxy_that_is_down_or_refuses_is_named",
        crate::wire_proxies::a_proxy_that_is_down_or_refuses_is_named,
    ),
    (
        "wire_proxies::the_usual_variables_name_the_proxy",
        crate::wire_proxies::the_usual_variables_name_the_proxy,
    ),
    (
        "wire_certificates::the_wrong_scheme_is_an_error",
        crate::wire_certificates::the_wrong_scheme_is_an_error,
    ),
    (
        "rotate_hydra::a_server_that_is_gone_keeps_no_rotation_from_happening",
        crate::rotate_hydra::a_server_that_is_gone_keeps_no_rotation_from_happening,
    ),
    (
        "hydra_v1::an_order_that_cannot_be_reached_leaves_the_set_as_it_was",
        crate::hydra_v1::an_order_that_cannot_be_reached_leaves_the_set_as_it_was,
    ),
    (
        "http_put::a_lost_race_is_planned_again",
        crate::http_put::a_lost_race_is_planned_again,
    ),
    (
        "http_put::a_race_that_is_always_lost_ends_after_five_tries",
        crate::http_put::a_race_that_is_always_lost_ends_after_five_tries,
    ),
    (
        "http_put::an_answer_that_is_lost_is_no_conflict",
        crate::http_put::an_answer_that_is_lost_is_no_conflict,
    ),
    (
        "http_put::every_refusal_has_its_reason",
        crate::http_put::every_refusal_has_its_reason,
    ),
    #[cfg(unix)]
    (
        "http_put_servers::nginx_ignores_conditions",
        crate::http_put_servers::nginx_ignores_conditions,
    ),
    #[cfg(unix)]
    (
        "http_put_servers::apache_honors_conditions",
        crate::http_put_servers::apache_honors_conditions,
    ),
    (
        "ory::a_rate_limit_is_waited_for",
        crate::ory::a_rate_limit_is_waited_for,
    ),
    (
        "hydra_together::a_key_that_was_not_made_is_not_asked_for_again",
        crate::hydra_together::a_key_that_was_not_made_is_not_asked_for_again,
    ),
    (
        "clerk::a_limit_is_waited_for_as_long_as_the_server_asks",
        crate::clerk::a_limit_is_waited_for_as_long_as_the_server_asks,
    ),
    (
        "clerk::a_server_in_trouble_is_asked_again",
        crate::clerk::a_server_in_trouble_is_asked_again,
    ),
    (
        "authlete::a_server_in_trouble_is_asked_again",
        crate::authlete::a_server_in_trouble_is_asked_again,
    ),
    (
        "apinizer::a_server_in_trouble_is_asked_again",
        crate::apinizer::a_server_in_trouble_is_asked_again,
    ),
    (
        "help::a_lock_that_is_waited_for_is_said",
        crate::help::a_lock_that_is_waited_for_is_said,
    ),
    (
        "locking::a_held_lock_is_refused_after_the_wait",
        crate::locking::a_held_lock_is_refused_after_the_wait,
    ),
    (
        "history::versions_go_when_they_are_too_old",
        crate::history::versions_go_when_they_are_too_old,
    ),
    (
        "wire::what_may_be_repeated_is_repeated",
        crate::wire::what_may_be_repeated_is_repeated,
    ),
    (
        "wire::a_push_that_arrived_without_an_answer_is_in_the_log",
        crate::wire::a_push_that_arrived_without_an_answer_is_in_the_log,
    ),
    (
        "hydra_faults::a_serialization_conflict_is_tried_again",
        crate::hydra_faults::a_serialization_conflict_is_tried_again,
    ),
];

#[test]
fn each_wait_ends_as_it_should() {
    std::thread::scope(|scope| {
        for (name, story) in STORIES {
            // A story that fails names itself: it is the name of its thread.
            let named = std::thread::Builder::new().name((*name).to_owned());
            named.spawn_scoped(scope, story).expect("a thread");
        }
    });
}
