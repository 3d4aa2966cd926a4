"""Does for a command what systemd does for a service with a socket of its own.

Opens a listening socket, starts the command with it, and at SIGHUP stops the command and starts
it again, as `systemctl restart` does. The socket stays open all the time. SIGTERM ends both.
Prints a line of JSON for the port and for each end of the command.
"""

import json
import os
import signal
import socket
import sys

PASSED = 3


SIGNALS = {signal.SIGHUP, signal.SIGTERM}


def start(command: list[str]) -> int:
    pid = os.fork()
    if pid == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        os.environ["LISTEN_FDS"] = "1"
        os.environ["LISTEN_PID"] = str(os.getpid())
        os.execvp(command[0], command)
    return pid


def say(**line: object) -> None:
    print(json.dumps(line), flush=True)


def main(command: list[str]) -> None:
    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    if listening.fileno() != PASSED:
        os.dup2(listening.fileno(), PASSED)
    os.set_inheritable(PASSED, True)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    say(port=listening.getsockname()[1])
    asked = signal.SIGHUP
    while asked == signal.SIGHUP:
        pid = start(command)
        asked = signal.sigwait(SIGNALS)
        os.kill(pid, signal.SIGTERM)
        _, status = os.waitpid(pid, 0)
        say(ended=os.waitstatus_to_exitcode(status))


main(sys.argv[1:])
