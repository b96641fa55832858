# Canaries: cores with one planted mistake each, which the simulation must catch.
#
# sim_mutant(NAME FILE right wrong) puts a copy of src/core/FILE, in which `right` is replaced by
# `wrong`, in the place of the true one. `right` must be there. The test passes when the simulation
# finds a violation.
add_library(simulation OBJECT sim/test_sim_shard.c)
target_link_libraries(simulation PUBLIC testkit freshet_core freshet_flags)

# They are built only when one of them is run.
add_custom_target(mutants)
add_test(NAME build_mutants COMMAND ${CMAKE_COMMAND} --build ${CMAKE_BINARY_DIR} --target mutants)
set_tests_properties(build_mutants PROPERTIES FIXTURES_SETUP mutants TIMEOUT 1800)

function(sim_mutant name file right wrong)
    set(original ${PROJECT_SOURCE_DIR}/src/core/${file})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${original})
    file(READ ${original} text)
    string(FIND "${text}" "${right}" at)
    if(at EQUAL -1)
        message(FATAL_ERROR "sim_mutant ${name}: src/core/${file} has no `${right}`")
    endif()
    string(REPLACE "${right}" "${wrong}" text "${text}")
    set(mutant ${CMAKE_CURRENT_BINARY_DIR}/mutants/${name}/${file})
    file(CONFIGURE OUTPUT ${mutant} CONTENT "${text}" @ONLY)
    # The linker takes from the library of the core only what the mutant does not define.
    add_executable(mutant_${name} EXCLUDE_FROM_ALL ${mutant})
    add_dependencies(mutants mutant_${name})
    target_compile_options(mutant_${name} PRIVATE -w)
    target_link_libraries(mutant_${name} PRIVATE simulation testkit freshet_core freshet_base
        freshet_flags)
    add_test(NAME mutant_${name} COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:mutant_${name}>
        -P ${CMAKE_CURRENT_SOURCE_DIR}/sim/expect_violation.cmake)
    set_tests_properties(mutant_${name} PROPERTIES FIXTURES_REQUIRED mutants)
endfunction()

# ---- sessions: S1 to S12 ----
sim_mutant(s1_start_stays session.c
    "session->start_ms = event->ms;\n    if" "(void)0;\n    if")
sim_mutant(s2_gap_is_exclusive session.c
    "event->ms <= clock_add_ms(session->last_ms, rules->gap.ms)"
    "event->ms < clock_add_ms(session->last_ms, rules->gap.ms)")
sim_mutant(s2_gap_is_exclusive_before session.c
    "clock_sub_ms(session->start_ms, rules->gap.ms) <= event->ms"
    "clock_sub_ms(session->start_ms, rules->gap.ms) < event->ms")
sim_mutant(s3_live_too_long session.c
    "session_live(rules, (*at)->last_ms, watermark_ms)"
    "session_live(rules, (*at)->last_ms, watermark_ms - 1)")
sim_mutant(s3_immutable_too_early session.c
    "session_live(rules, (*at)->last_ms, watermark_ms)"
    "session_live(rules, (*at)->last_ms, watermark_ms + 1)")
sim_mutant(s4_lateness_of_the_event session.c
    "if (session_joins(session, rules, event))\n            return true" "return false")
sim_mutant(s4_equality_is_late session.c
    "if (session_live(rules, event->ms, watermark_ms))"
    "if (session_live(rules, event->ms, watermark_ms + 1))")
sim_mutant(s5_closed_at_deadline rowmaker.c
    "session_closed(rules, session->last_ms, row_frontier_ms(rules, as_of_ms))"
    "session_closed(rules, session->last_ms, row_frontier_ms(rules, as_of_ms) + 1)")
sim_mutant(s5_corrected_at_deadline session.c
    "change.corrected = session_closed(rules, session->last_ms, watermark_ms)"
    "change.corrected = session_closed(rules, session->last_ms, watermark_ms + 1)")
sim_mutant(s6_nothing_is_retracted observe.c
    "if (replaced && was->published)" "if (false && was->published)")
sim_mutant(s6_closed_is_not_published observe.c "due->session->published = true" "(void)due")
sim_mutant(s6_corrected_by_the_watermark observe.c
    "corrected |= row_session_closed(rules, was, shard->as_of_ms)"
    "corrected |= session_closed(rules, was->last_ms, shard_watermark_ms(shard))")
sim_mutant(s7_greatest_id session.c "from->id < into->id" "from->id > into->id")
sim_mutant(s7_id_from_start session.c "session->id = event->offset" "session->id = event->ms")
sim_mutant(s8_merge_is_no_revision session.c "1 + (uint32_t)change.merged" "1")
sim_mutant(s8_revisions_are_lost session.c "(into->rev + from->rev)" "into->rev")
sim_mutant(s9_order_of_arrival apply.c
    "{event->input.ts.ms, event->record->offset}" "{0, event->record->offset}")
sim_mutant(s10_no_cut session.c
    "rules_cut_period(rules, session->last_ms) == rules_cut_period(rules, event->ms)" "true")
sim_mutant(s11_end_does_not_part session.c
    "return is_beyond(session_part(rules, session), event->ms, event->offset)" "return false")
sim_mutant(s11_end_falls_back session.c
    "if (part->end_ms != INT64_MIN && !is_beyond(part, ms, offset))\n        return;" "")
sim_mutant(s11_bridges_an_end session.c "!are_parted(rules, session, later)" "true")
sim_mutant(s11_end_is_lost_by_a_merge session.c
    "move_end(session_part(rules, into), part->end_ms, part->end_offset)" "(void)part")
sim_mutant(s12_trackers_share session.c
    "held_equals(&session_part(rules, session)->tracker, &event->tracker)" "true")
sim_mutant(s12_newest_by_start session.c
    "(*at)->last_ms > session->last_ms ||" "(*at)->start_ms > session->start_ms ||")
sim_mutant(number_counts_all sessionpast.c
    "number += live->start_ms < session->start_ms" "number += live != session")
sim_mutant(order_by_end sessionpast.c "is_before(best, &span)" "best->start_ms == INT64_MIN")

# ---- time ----
sim_mutant(t2_no_clamp apply.c "ts->ms = event->record_ms;" "(void)0;")
sim_mutant(t2_skew_is_exclusive apply.c
    "ts->ms > clock_add_ms(event->record_ms" "ts->ms >= clock_add_ms(event->record_ms")
sim_mutant(w1_raw_from_event_time_alone apply.c
    "ts->ms < event->record_ms ? ts->ms : event->record_ms" "ts->ms")
sim_mutant(w1_filtered_moves_nothing apply.c
    "if (seen > shard->raw_ms) {"
    "if (seen > shard->raw_ms && (!rules->where || expr_test(rules->where, &event->input))) {")
sim_mutant(w5_idle_clock_jumps due.c
    "clock_add_ms(shard->raw_ms, idle_now_ms - shard->newest_record_ms)" "idle_now_ms")
sim_mutant(w5_as_of_goes_back due.c "int64_t as_of = before;" "int64_t as_of = INT64_MIN;")
sim_mutant(too_old_is_kept apply.c "rules->max_age.ms > 0 &&" "false &&")

# ---- windows, decay and forgetting ----
sim_mutant(tail_too_short rowmaker.c
    "pane_tail(window, phase, as_of_ms)" "pane_tail(window, phase, as_of_ms) + 1")
sim_mutant(windows_as_late_as_sessions apply.c
    "rules->window_lateness.ms) >= watermark" "rules->lateness.ms) >= watermark")
sim_mutant(no_decay due.c "entity_dirty(shard, deadline.handle, QUEUE_DECAY)" "(void)0")
sim_mutant(decay_of_the_newest_pane due.c
    "int k = panes_before(window, panes, pane_tail(window, phase, after_ms));"
    "int k = panes->count - 1;")
sim_mutant(no_decay_by_closing due.c "due = earlier_after(due, closes, after_ms);" "")
sim_mutant(no_decay_by_hiding due.c
    "due = earlier_after(due, clock_add_ms(closes, rules->keep.ms), after_ms);" "")
sim_mutant(never_hidden rowmaker.c
    "return clock_add_ms(deadline, rules->keep.ms) < row_frontier_ms(rules, as_of_ms)"
    "return as_of_ms == INT64_MAX && deadline < row_frontier_ms(rules, as_of_ms)")
sim_mutant(forgotten_by_raw due.c
    "&shard->forget, watermark, &deadline" "&shard->forget, watermark = shard->raw_ms, &deadline")
sim_mutant(forgotten_though_live due.c
    "rules->keep.ms > rules->lateness.ms ? rules->keep.ms : rules->lateness.ms" "rules->keep.ms")
sim_mutant(forgotten_though_windowed due.c "leaves > at ? leaves : at" "at")

# ---- keys and duplicates ----
sim_mutant(one_key_too_many apply.c
    "shard->live_keys >= shard->rules->max_keys" "shard->live_keys > shard->rules->max_keys")
sim_mutant(forgotten_keys_have_room apply.c
    "entity && !(entity->flags & ENTITY_FORGOTTEN)" "entity")
sim_mutant(applied_twice apply.c
    "record->offset < shard->next_offset" "record->offset + 1 < shard->next_offset")
sim_mutant(ids_expire_at_the_window dedup.c
    "clock_add_ms(dedup_at(dedup, handle)->until_ms, 1)" "dedup_at(dedup, handle)->until_ms")
sim_mutant(ids_never_expire apply.c "dedup_expire(&shard->dedup" "(void)(&shard->dedup")
sim_mutant(ids_of_all_keys dedup.c "hash_bytes128(key, key_len, 0)" "hash_bytes128(key, 0, 0)")
sim_mutant(ids_beyond_the_bound apply.c
    "dedup_count(&shard->dedup) < rules->dedup_max" "true")
sim_mutant(duplicate_before_late apply.c
    "fate != FATE_LATE && event->has_id" "event->has_id")

# ---- effects ----
sim_mutant(only_the_newest_closes due.c "live = live->next" "live = NULL")
sim_mutant(closed_once_more observe.c "closes > before_ms && closes" "closes")
sim_mutant(effects_in_no_order observe.c
    "if (shard->due_count > 1)" "if (shard->due_count > 1 && shard->due == NULL)")
sim_mutant(effect_shows_the_newest observe.c
    "row_make_of(shard, entity_at(shard, handle), effect->shown,"
    "row_make(shard, entity_at(shard, handle),")

# ---- delivery ----
sim_mutant(clean_when_sent shard.c "entity_dirty(shard, handle, queue)" "(void)queue")
sim_mutant(no_hold lease.c "next_offset - 1 >= lease->hold" "next_offset >= 0")
sim_mutant(hold_not_raised lease.c "!again || hold > lease->hold" "!again")
sim_mutant(as_of_not_held due.c "shard->lease.as_of_floor_ms > as_of" "false")
sim_mutant(forgotten_at_once entity.c
    "if (!held || !lease_will_sweep(&shard->lease)) {" "if (held && false) {")
sim_mutant(forgotten_when_in_doubt entity.c "!held || !lease_will_sweep(&shard->lease)" "!held")
sim_mutant(sweep_spares_all shard.c
    "return entity_find(shard, key, len, hash_bytes(key, len)) != KEYTABLE_NONE"
    "return entity_find(shard, key, len, hash_bytes(key, len)) != KEYTABLE_NONE || true")
sim_mutant(rollback_is_not_heard lease.c "if (rollback && lease->gap) {" "if (rollback) {")
sim_mutant(fed_too_late closedfold.c "rules->lateness.ms + 1" "rules->lateness.ms + 2")
sim_mutant(fed_again closedfold.c "session_live(rules, session->last_ms, before_ms) &&" "")
sim_mutant(fed_in_silence closedfold.c "closed->row_due |= fold_session(" "(void)fold_session(")
sim_mutant(lifetime_ends due.c "if (rules->set->has_lifetime)\n        return INT64_MAX;" "")

# ---- checkpoints ----
sim_mutant(saved_end_is_lost checkpointkey.c
    "part->end_ms = segment_get_signed(in)" "segment_get_signed(in), part->end_ms = INT64_MIN")
sim_mutant(saved_as_changed checkpointsave.c "entity->touched != self->epoch)" "true)")
sim_mutant(saved_without_the_changed checkpointsave.c
    "if (self->under_way && handle >= self->cursor)" "if (false)")
sim_mutant(ids_are_not_saved checkpointsave.c
    "id->until_ms != INT64_MIN && id->touched" "false && id->touched")
sim_mutant(saved_without_the_dirty checkpointsave.c
    "if (entity->queue != QUEUE_NONE)" "if (entity->queue == 77)")
sim_mutant(saved_without_those_that_went entity.c
    "    entity_touch(shard, handle);\n    checkpoint_key_removed" "    checkpoint_key_removed")
sim_mutant(removed_keys_come_back checkpointsave.c
    "self->removed_mark = self->removed.len" "self->removed_mark = 0")
sim_mutant(delta_of_a_lost_one checkpointsave.c
    "    self->under_way = false;\n    text_free"
    "    self->since = self->epoch, self->under_way = false;\n    text_free")
