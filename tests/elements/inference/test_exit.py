"""exit() while other threads are inside LibTorch must not crash: its static objects are destroyed meanwhile.

    test_exit.py EXIT_DRIVER
"""
import subprocess
import sys

RUNS = 50


def main(driver):
    crashes = []
    for run in range(RUNS):
        # Few inferences: the exit comes at varying moments of one, right after the first use of the operators.
        done = subprocess.run([driver, str(run % 7)], capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            crashes.append((run, done.returncode, done.stderr.strip()))
    for crash in crashes:
        print("run %d: status %d %s" % crash)
    print(f"{RUNS - len(crashes)} of {RUNS} exits were clean")
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
