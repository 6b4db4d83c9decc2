/* Preloaded by a test: random numbers that an attacker could know. */
#include <string.h>
#include <sys/random.h>

ssize_t getrandom(void* buffer, size_t size, unsigned int flags) {
  (void)flags;
  memset(buffer, 0, size);
  return (ssize_t)size;
}
