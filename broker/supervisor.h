//  supervisor - starts front and core, starts them again when they end, and takes them along when it ends

#ifndef SUPERVISOR_H_INCLUDED
#define SUPERVISOR_H_INCLUDED

//  Runs this program's verbs `core` and `front` as children until SIGTERM or SIGINT (0). Prints one line on stdout when both are ready
//  for the first time and tells systemd (READY, STATUS, WATCHDOG). A child that ends is started again, after 0.1 s doubling to
//  5 s while it lives less than 10 s each time. A child that cannot start the first time (wrong home, port taken) has printed
//  why: the other is ended and its exit code returned. A child that was ready and gives no sign of life for a minute (under
//  systemd: for the time of its watchdog) hangs: it is killed and started again. The children die with this process, however it dies. No zmq context is made here.
int supervisor_run (const char *home, const char *endpoint, const char *name);

//  A child's side: one byte to its life_fd when it is ready, and one each second. Nothing if fd is -1; never blocks.
void sign_of_life (int fd);

#endif
