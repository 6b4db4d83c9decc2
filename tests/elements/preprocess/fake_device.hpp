// A GPU that is the CPU: blocks and threads are loops, device memory is memory. What the kernels
// compute is computed by the same functions; what only a GPU does (launch, streams, memory, its
// compiler) is not shown.
#pragma once

namespace tv::test {

/// Between two barriers every thread runs to the end before the next one begins: in ascending
/// order, or in descending. Results that depend on the order lack a barrier.
inline bool g_threads_backwards = false;
/// Launches so far.
inline int g_launches = 0;
/// Device memory that is not released.
inline int g_blocks = 0;
/// 0, or what the named functions return from now on.
inline int g_current_error = 0, g_upload_error = 0, g_launch_error = 0;
inline int g_device = 0;

}  // namespace tv::test
