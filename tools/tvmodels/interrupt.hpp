// Ctrl-C during long work: stop cleanly, then end as the signal would have.
#pragma once

#include <atomic>

namespace tv::cli {

/// True once the user has asked to stop. From the first call on SIGINT and SIGTERM set it instead
/// of ending the process; a second signal ends it at once.
const std::atomic<bool>& interrupted();

/// Ends the process by the signal that was caught, so that a shell's loop ends too. Returns when
/// there was none.
void end_if_interrupted();

}  // namespace tv::cli
