# Where `cmake --install` puts what is not a program. /etc belongs to the operator: the sample
# configuration, with the files it names, goes to the documentation's examples, where it is valid.
set(examples ${CMAKE_INSTALL_DOCDIR}/examples)
install(FILES deploy/freshet.ini deploy/read_packed.py DESTINATION ${examples})
install(DIRECTORY schemas/ DESTINATION ${examples} FILES_MATCHING
    PATTERN "*.avsc" PATTERN "*.ini" PATTERN "*.jsonl" PATTERN "*.md")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# freshet_install(DESTINATION pattern...): says so when no file fits.
function(freshet_install destination)
    file(GLOB files CONFIGURE_DEPENDS ${ARGN})
    if(NOT files)
        message(WARNING "nothing to install for ${ARGN}")
    endif()
    install(FILES ${files} DESTINATION ${destination})
endfunction()

foreach(section 1 5 7 8)
    freshet_install(${CMAKE_INSTALL_MANDIR}/man${section} deploy/man/*.${section})
endforeach()
# systemd looks below /usr/lib and /usr/local/lib, never in an architecture's directory.
freshet_install(lib/systemd/system deploy/*.service)
freshet_install(lib/sysusers.d deploy/sysusers.d/*.conf)
freshet_install(lib/tmpfiles.d deploy/tmpfiles.d/*.conf)
freshet_install(${CMAKE_INSTALL_DATADIR}/bash-completion/completions deploy/completions/bash/*)
