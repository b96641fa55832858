# Runs PROGRAM and fails unless it finds a violation (or an assertion of the core does).
set(ENV{FRESHET_SIM_SEEDS} 20000)
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
