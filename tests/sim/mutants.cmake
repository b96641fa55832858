# Canaries: programs with one planted mistake each, which a simulation must catch.
#
# mutant(SIMULATION NAME FILE right wrong ... [FILE right wrong ...]) puts copies of src/core/FILE
# (or of tests/sim/FILE, for what the daemon or Redis does), in which each `right` is replaced by
# its `wrong`, in the place of the true ones. `right` must be there. The test passes when
# test_sim_SIMULATION finds a violation.
foreach(simulation shard protocol)
    add_library(simulation_${simulation} OBJECT sim/test_sim_${simulation}.c)
    target_link_libraries(simulation_${simulation} PUBLIC testkit freshet_core freshet_flags)
endforeach()

# They are built only when one of them is run.
add_custom_target(mutants)
add_test(NAME build_mutants COMMAND ${CMAKE_COMMAND} --build ${CMAKE_BINARY_DIR} --target mutants)
set_tests_properties(build_mutants PROPERTIES FIXTURES_SETUP mutants TIMEOUT 1800)

function(mutant simulation name)
    set(sources "")
    set(at 2)
    while(at LESS ARGC)
        set(argument "${ARGV${at}}")
        math(EXPR behind "${at} + 1")
        if(argument MATCHES "^[a-z_]+\\.c$")
            set(file ${argument})
            set(original ${PROJECT_SOURCE_DIR}/src/core/${file})
            if(NOT EXISTS ${original})
                set(original ${CMAKE_CURRENT_SOURCE_DIR}/sim/${file})
            endif()
            set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${original})
            list(APPEND sources ${CMAKE_CURRENT_BINARY_DIR}/mutants/${name}/${file})
            file(READ ${original} text)
        else()
            string(FIND "${text}" "${argument}" found)
            if(found EQUAL -1)
                message(FATAL_ERROR "mutant ${name}: ${file} has no `${argument}`")
            endif()
            string(REPLACE "${argument}" "${ARGV${behind}}" text "${text}")
            math(EXPR behind "${behind} + 1")
            file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/mutants/${name}/${file}
                CONTENT "${text}" @ONLY)
        endif()
        set(at ${behind})
    endwhile()
    # The linker takes from the libraries only what the mutant does not define.
    add_executable(mutant_${name} EXCLUDE_FROM_ALL ${sources})
    add_dependencies(mutants mutant_${name})
    target_compile_options(mutant_${name} PRIVATE -w)
    target_link_libraries(mutant_${name} PRIVATE simulation_${simulation} testkit freshet_core
        freshet_base freshet_flags)
    add_test(NAME mutant_${name} COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:mutant_${name}>
        -DSIMULATION=${simulation} -P ${CMAKE_CURRENT_SOURCE_DIR}/sim/expect_violation.cmake)
    set_tests_properties(mutant_${name} PROPERTIES FIXTURES_REQUIRED mutants)
endfunction()

# ---- sessions: S1 to S12 ----
mutant(shard s1_start_stays session.c
    "session->start_ms = event->ms;\n    if" "(void)0;\n    if")
mutant(shard s2_gap_is_exclusive session.c
    "event->ms <= clock_add_ms(session->last_ms, rules->gap.ms)"
    "event->ms < clock_add_ms(session->last_ms, rules->gap.ms)")
mutant(shard s2_gap_is_exclusive_before session.c
    "clock_sub_ms(session->start_ms, rules->gap.ms) <= event->ms"
    "clock_sub_ms(session->start_ms, rules->gap.ms) < event->ms")
mutant(shard s3_live_too_long session.c
    "session_live(rules, (*at)->last_ms, watermark_ms)"
    "session_live(rules, (*at)->last_ms, watermark_ms - 1)")
mutant(shard s3_immutable_too_early session.c
    "session_live(rules, (*at)->last_ms, watermark_ms)"
    "session_live(rules, (*at)->last_ms, watermark_ms + 1)")
mutant(shard s4_lateness_of_the_event session.c
    "if (session_joins(session, rules, event))\n            return true" "return false")
mutant(shard s4_equality_is_late session.c
    "if (session_live(rules, event->ms, watermark_ms))"
    "if (session_live(rules, event->ms, watermark_ms + 1))")
mutant(shard s5_closed_at_deadline rowmaker.c
    "session_closed(rules, session->last_ms, row_frontier_ms(rules, as_of_ms))"
    "session_closed(rules, session->last_ms, row_frontier_ms(rules, as_of_ms) + 1)")
mutant(shard s5_corrected_at_deadline session.c
    "change.corrected = session_closed(rules, session->last_ms, watermark_ms)"
    "change.corrected = session_closed(rules, session->last_ms, watermark_ms + 1)")
mutant(shard s6_nothing_is_retracted observe.c
    "if (replaced && was->published)" "if (false && was->published)")
mutant(shard s6_closed_is_not_published observe.c "due->session->published = true" "(void)due")
mutant(shard s6_corrected_by_the_watermark observe.c
    "corrected |= row_session_closed(rules, was, shard->as_of_ms)"
    "corrected |= session_closed(rules, was->last_ms, shard_watermark_ms(shard))")
mutant(shard s7_greatest_id session.c "from->id < into->id" "from->id > into->id")
mutant(shard s7_id_from_start session.c "session->id = event->offset" "session->id = event->ms")
mutant(shard s8_merge_is_no_revision session.c "1 + (uint32_t)change.merged" "1")
mutant(shard s8_revisions_are_lost session.c "(into->rev + from->rev)" "into->rev")
mutant(shard s9_order_of_arrival apply.c
    "{event->input.ts.ms, event->record->offset}" "{0, event->record->offset}")
mutant(shard s10_no_cut session.c
    "rules_cut_period(rules, session->last_ms) == rules_cut_period(rules, event->ms)" "true")
mutant(shard s11_end_does_not_part session.c
    "return is_beyond(session_part(rules, session), event->ms, event->offset)" "return false")
mutant(shard s11_end_falls_back session.c
    "if (part->end_ms != INT64_MIN && !is_beyond(part, ms, offset))\n        return;" "")
mutant(shard s11_bridges_an_end session.c "!are_parted(rules, session, later)" "true")
mutant(shard s11_end_is_lost_by_a_merge session.c
    "move_end(session_part(rules, into), part->end_ms, part->end_offset)" "(void)part")
mutant(shard s12_trackers_share session.c
    "held_equals(&session_part(rules, session)->tracker, &event->tracker)" "true")
mutant(shard s12_newest_by_start session.c
    "(*at)->last_ms > session->last_ms ||" "(*at)->start_ms > session->start_ms ||")
mutant(shard number_counts_all sessionpast.c
    "number += live->start_ms < session->start_ms" "number += live != session")
mutant(shard order_by_end sessionpast.c "is_before(best, &span)" "best->start_ms == INT64_MIN")

# ---- time ----
mutant(shard t2_no_clamp apply.c "ts->ms = event->record_ms;" "(void)0;")
mutant(shard t2_skew_is_exclusive apply.c
    "ts->ms > clock_add_ms(event->record_ms" "ts->ms >= clock_add_ms(event->record_ms")
mutant(shard w1_raw_from_event_time_alone apply.c
    "ts->ms < event->record_ms ? ts->ms : event->record_ms" "ts->ms")
mutant(shard w1_filtered_moves_nothing apply.c
    "if (seen > shard->raw_ms) {"
    "if (seen > shard->raw_ms && (!rules->where || expr_test(rules->where, &event->input))) {")
mutant(shard w5_idle_clock_jumps due.c
    "clock_add_ms(shard->raw_ms, idle_now_ms - shard->newest_record_ms)" "idle_now_ms")
mutant(shard w5_as_of_goes_back due.c "int64_t as_of = before;" "int64_t as_of = INT64_MIN;")
mutant(shard too_old_is_kept apply.c "rules->max_age.ms > 0 &&" "false &&")

# ---- windows, decay and forgetting ----
mutant(shard tail_too_short rowmaker.c
    "pane_tail(window, phase, as_of_ms)" "pane_tail(window, phase, as_of_ms) + 1")
mutant(shard windows_as_late_as_sessions apply.c
    "rules->window_lateness.ms) >= watermark" "rules->lateness.ms) >= watermark")
mutant(shard no_decay due.c "entity_dirty(shard, deadline.handle, QUEUE_DECAY)" "(void)0")
mutant(shard decay_of_the_newest_pane due.c
    "int k = panes_before(window, panes, pane_tail(window, phase, after_ms));"
    "int k = panes->count - 1;")
mutant(shard no_decay_by_closing due.c "due = earlier_after(due, closes, after_ms);" "")
mutant(shard no_decay_by_hiding due.c
    "due = earlier_after(due, clock_add_ms(closes, rules->keep.ms), after_ms);" "")
mutant(shard never_hidden rowmaker.c
    "return clock_add_ms(deadline, rules->keep.ms) < row_frontier_ms(rules, as_of_ms)"
    "return as_of_ms == INT64_MAX && deadline < row_frontier_ms(rules, as_of_ms)")
mutant(shard forgotten_by_raw due.c
    "&shard->forget, watermark, &deadline" "&shard->forget, watermark = shard->raw_ms, &deadline")
mutant(shard forgotten_though_live due.c
    "rules->keep.ms > rules->lateness.ms ? rules->keep.ms : rules->lateness.ms" "rules->keep.ms")
mutant(shard forgotten_though_windowed due.c "leaves > at ? leaves : at" "at")

# ---- keys and duplicates ----
mutant(shard one_key_too_many apply.c
    "shard->live_keys >= shard->rules->max_keys" "shard->live_keys > shard->rules->max_keys")
mutant(shard forgotten_keys_have_room apply.c
    "entity && !(entity->flags & ENTITY_FORGOTTEN)" "entity")
mutant(shard applied_twice apply.c
    "record->offset < shard->next_offset" "record->offset + 1 < shard->next_offset")
mutant(shard ids_expire_at_the_window dedup.c
    "clock_add_ms(dedup_at(dedup, handle)->until_ms, 1)" "dedup_at(dedup, handle)->until_ms")
mutant(shard ids_never_expire apply.c "dedup_expire(&shard->dedup" "(void)(&shard->dedup")
mutant(shard ids_of_all_keys dedup.c "hash_bytes128(key, key_len, 0)" "hash_bytes128(key, 0, 0)")
mutant(shard ids_beyond_the_bound apply.c
    "dedup_count(&shard->dedup) < rules->dedup_max" "true")
mutant(shard duplicate_before_late apply.c
    "fate != FATE_LATE && event->has_id" "event->has_id")

# ---- effects ----
mutant(shard only_the_newest_closes due.c "live = live->next" "live = NULL")
mutant(shard closed_once_more observe.c "closes > before_ms && closes" "closes")
mutant(shard effects_in_no_order observe.c
    "if (shard->due_count > 1)" "if (shard->due_count > 1 && shard->due == NULL)")
mutant(shard effect_shows_the_newest observe.c
    "row_make_of(shard, entity_at(shard, handle), effect->shown,"
    "row_make(shard, entity_at(shard, handle),")

# ---- delivery ----
mutant(shard clean_when_sent shard.c "entity_dirty(shard, handle, queue)" "(void)queue")
mutant(shard no_hold lease.c "next_offset - 1 >= lease->hold" "next_offset >= 0")
mutant(shard hold_not_raised lease.c "!again || hold > lease->hold" "!again")
mutant(shard as_of_not_held due.c "shard->lease.as_of_floor_ms > as_of" "false")
mutant(shard forgotten_at_once entity.c
    "if (!held || !lease_will_sweep(&shard->lease)) {" "if (held && false) {")
mutant(shard forgotten_when_in_doubt entity.c "!held || !lease_will_sweep(&shard->lease)" "!held")
mutant(shard sweep_spares_all shard.c
    "return entity_find(shard, key, len, hash_bytes(key, len)) != KEYTABLE_NONE"
    "return entity_find(shard, key, len, hash_bytes(key, len)) != KEYTABLE_NONE || true")
mutant(shard rollback_is_not_heard lease.c "if (rollback && lease->gap) {" "if (rollback) {")
mutant(shard fed_too_late closedfold.c "rules->lateness.ms + 1" "rules->lateness.ms + 2")
mutant(shard fed_again closedfold.c "session_live(rules, session->last_ms, before_ms) &&" "")
mutant(shard fed_in_silence closedfold.c "closed->row_due |= fold_session(" "(void)fold_session(")
mutant(shard lifetime_ends due.c "if (rules->set->has_lifetime)\n        return INT64_MAX;" "")

# ---- checkpoints ----
mutant(shard saved_end_is_lost checkpointkey.c
    "part->end_ms = segment_get_signed(in)" "segment_get_signed(in), part->end_ms = INT64_MIN")
mutant(shard saved_as_changed checkpointsave.c "entity->touched != self->epoch)" "true)")
mutant(shard saved_without_the_changed checkpointsave.c
    "if (self->under_way && handle >= self->cursor)" "if (false)")
mutant(shard ids_are_not_saved checkpointsave.c
    "id->until_ms != INT64_MIN && id->touched" "false && id->touched")
mutant(shard saved_without_the_dirty checkpointsave.c
    "if (entity->queue != QUEUE_NONE)" "if (entity->queue == 77)")
mutant(shard saved_without_those_that_went entity.c
    "    entity_touch(shard, handle);\n    checkpoint_key_removed" "    checkpoint_key_removed")
mutant(shard removed_keys_come_back checkpointsave.c
    "self->removed_mark = self->removed.len" "self->removed_mark = 0")
mutant(shard delta_of_a_lost_one checkpointsave.c
    "    self->under_way = false;\n    text_free"
    "    self->since = self->epoch, self->under_way = false;\n    text_free")

# ---- the protocol: Redis, whose scripts the daemon brings ----
mutant(protocol no_token fakeown.c "own->token != token" "false")
mutant(protocol no_rollback_detection fakeown.c "own->seq != expected_seq" "false")
mutant(protocol numbered_at_least
    fakeown.c "own->seq != expected_seq" "own->seq < expected_seq"
    simowner.c "request->expected_seq = lease_batch_sent(&owner->shard->lease)"
    "lease_batch_sent(&owner->shard->lease), \
     request->expected_seq = owner->shard->lease.acknowledged")
mutant(protocol offset_as_detector fakeown.c
    "#include <string.h>" "#include <string.h>\nstatic int64_t hw_at[4096];"
    "applied < previous_seq" "own->hw < hw_at[previous_seq]"
    "own->seq != expected_seq" "own->hw < hw_at[expected_seq]"
    "    own->seq++;" "    own->seq = expected_seq + 1, hw_at[own->seq] = own->hw;"
    "own->has_hw = true" "own->has_hw = true, hw_at[own->seq] = own->hw")
mutant(protocol no_token_history fakeown.c
    "int64_t applied = -1;" "int64_t applied = own->seq;"
    "applied = k + 1 < own->owner_count ? own->owners[k + 1].seq : own->seq" "(void)0")
# What a checkpoint tells of a resync, and what Redis does: one makes up for the other but rarely.
mutant(protocol no_resync_flag
    fakeown.c "own->resync = true" "(void)0"
    ".resync = own->resync" ".resync = previous && applied < previous_seq"
    checkpointsave.c "lease->resync != LEASE_SYNCED || lease->refused)" "0)")
mutant(protocol losses_are_not_marked fakeown.c "own->resync = true" "(void)0")
mutant(protocol as_of_is_forgotten fakeown.c "as_of > own->as_of" "false")
mutant(protocol hw_is_forgotten fakeown.c "hw > own->hw" "false")

# ---- the protocol: the owner ----
mutant(protocol token_reused simowner.c
    "token_text(token, ++world->tokens)" "token_text(token, (uint64_t)owner->number + 1)")
mutant(protocol start_from_the_commit simkeeper.c
    "start = 0;" "start = owner->committed < 0 ? 0 : owner->committed;")
mutant(protocol late_records_not_awaited simkeeper.c "!late_records_stored(owner)" "false")
mutant(protocol late_records_left_behind simkeeper.c
    "owner->sweeping = false;" "owner->sweeping = false, owner_drop_rejects(owner);")
mutant(protocol commit_before_checkpoint simkeeper.c
    "int64_t offset = owner->chain.offset;" "int64_t offset = owner->shard->next_offset;")
mutant(protocol ttl_not_refreshed simowner.c "world->ttl_ms == 0 ||" "true ||")
mutant(protocol gone_rows_not_heard simreply.c
    "batch->differs[k] = command->reply.keys >> k & 1" "batch->differs[k] = false")
mutant(protocol empty_start_not_swept lease.c "(empty_start && !again)" "false")
mutant(protocol unfinished_resync_dropped lease.c
    "bool unfinished = lease->resync != LEASE_SYNCED" "bool unfinished = false")
mutant(protocol refusal_without_resync lease.c
    "bool refused = lease->refused" "bool refused = false")
mutant(protocol no_sweep lease.c
    "synced ? LEASE_SWEEP : LEASE_WAIT" "synced ? LEASE_DONE : LEASE_WAIT"
    "step == LEASE_DONE && lease->resync == LEASE_CLOSING" "step == LEASE_DONE")
mutant(protocol damage_is_not_seen segment.c "wanted != fetch_u32(at + 4)" "false")
mutant(protocol acknowledged_not_saved checkpointsave.c
    "segment_put_signed(writer->out, lease->acknowledged)" "segment_put_signed(writer->out, 0)")
mutant(protocol resync_not_saved checkpointsave.c
    "lease->resync != LEASE_SYNCED || lease->refused)" "0)")
mutant(protocol inflight_not_saved checkpointsave.c "if (entity->inflight > 0)" "if (false)")
