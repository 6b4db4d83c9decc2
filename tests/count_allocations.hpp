// Puts a malloc in front of glibc's that counts. For one source file of a program, without
// sanitizers: they have theirs.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

// Every allocation of the process is counted, whoever makes it.
static std::atomic<std::uint64_t> allocations{0};
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* malloc(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_calloc(count, size);
}
void* realloc(void* old, std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_realloc(old, size);
}
}
