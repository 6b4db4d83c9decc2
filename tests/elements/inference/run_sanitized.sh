#!/bin/sh
# Runs a program with its memory at fixed places where the system allows that: ThreadSanitizer of GCC 12 does not know all
# places that a kernel with much randomness may choose.
if setarch -R true 2>/dev/null; then
  exec setarch -R "$@"
fi
exec "$@"
