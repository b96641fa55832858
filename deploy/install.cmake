# Where `cmake --install` puts what is not a program.
