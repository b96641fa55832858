/* The commands of `freshet`: each takes its own arguments and returns the exit status. */
#ifndef FRESHET_WORKBENCH_H
#define FRESHET_WORKBENCH_H

/* argv[0] is "freshet NAME", for messages. */
int check_main(int argc, char **argv);
int decode_main(int argc, char **argv);
int replay_main(int argc, char **argv);
int test_main(int argc, char **argv);
int verify_main(int argc, char **argv);
int generate_main(int argc, char **argv);
int broker_main(int argc, char **argv);
int inspect_main(int argc, char **argv);

#endif
