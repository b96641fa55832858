# Canaries: cores with one planted mistake each, which the simulation must catch.
#
# sim_mutant(NAME FILE right wrong) puts a copy of src/core/FILE, in which `right` is replaced by
# `wrong`, in the place of the true one. `right` must be there. The test passes when the simulation
# finds a violation.
add_library(simulation OBJECT sim/test_sim_shard.c)
target_link_libraries(simulation PUBLIC testkit freshet_core freshet_flags)

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
    add_executable(mutant_${name} ${mutant})
    target_compile_options(mutant_${name} PRIVATE -w)
    target_link_libraries(mutant_${name} PRIVATE simulation testkit freshet_core freshet_base
        freshet_flags)
    add_test(NAME mutant_${name} COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:mutant_${name}>
        -P ${CMAKE_CURRENT_SOURCE_DIR}/sim/expect_violation.cmake)
endfunction()

sim_mutant(closed_at_deadline rowmaker.c
    "session_closed(rules, session->last_ms, row_frontier_ms(rules, as_of_ms))"
    "session_closed(rules, session->last_ms, row_frontier_ms(rules, as_of_ms) + 1)")
sim_mutant(lateness_of_the_event session.c
    "if (session_joins(session, rules, event))\n            return true" "return false")
sim_mutant(tail_too_short rowmaker.c
    "pane_tail(window, phase, as_of_ms)" "pane_tail(window, phase, as_of_ms) + 1")
sim_mutant(no_decay due.c "entity_dirty(shard, deadline.handle, QUEUE_DECAY)" "(void)0")
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
sim_mutant(loss_between_batches lease.c
    "lease_refused(lease, true); /* it took" "(void)lease; /* it took")
sim_mutant(order_by_end sessionpast.c
    "is_before(best, &span)" "best->start_ms == INT64_MIN")
sim_mutant(forgotten_by_raw due.c
    "&shard->forget, watermark, &deadline" "&shard->forget, watermark = shard->raw_ms, &deadline")
