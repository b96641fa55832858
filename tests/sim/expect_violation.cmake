# Runs PROGRAM, a simulation with a planted mistake, and fails unless it finds a violation (or an
# assertion of the core does). That of the protocol must print a schedule that can be read.
set(seeds_shard 20000)
set(seeds_protocol 1000000)
set(ENV{FRESHET_SIM_SEEDS} ${seeds_${SIMULATION}})
execute_process(COMMAND ${PROGRAM}
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(result EQUAL 0)
    message(FATAL_ERROR "the mutant went unnoticed: ${output}")
endif()
string(REGEX MATCH "seed [0-9]+ shard [0-9]+: violation: [^\n]*|assertion_failed[^\n]*"
    found "${output}")
if(NOT found)
    message(FATAL_ERROR "the mutant failed in another way: ${output}")
endif()
message(STATUS "${found}")
if(SIMULATION STREQUAL protocol AND
   NOT output MATCHES "shrunk from [0-9]+ to [1-5]?[0-9] moves:\n(.*\n)?  violation: ")
    message(FATAL_ERROR "the schedule is not shrunk: ${output}")
endif()
