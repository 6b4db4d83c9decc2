#include "elements/inference/backend_torch/guarded.hpp"

#include <ATen/Parallel.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>

#include "elements/preprocess/sticky_error.hpp"
#include "model_registry/io/exit_gate.hpp"

namespace tv::inference {
namespace {

// Of the threads inside LibTorch. Leaked: it must outlive everything.
struct Gate {
  io::ExitGate exit;
  std::atomic<pid_t> process = 0;
};

Gate& gate() {
  static Gate* const kGate = new Gate;
  return *kGate;
}

// How often this thread is inside: exit() called from within must not wait for itself.
thread_local unsigned t_depth = 0;

void close_gate() {
  gate().exit.close(t_depth);
}

class SilentWarnings final : public c10::WarningHandler {
 public:
  void process(const c10::Warning&) override {}
};

SilentWarnings* silent_warnings() {
  static auto* const kSilent = new SilentWarnings;
  return kSilent;
}

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

constexpr std::string_view kOutOfMemory = "out of memory: use smaller images or a smaller model";

Error device_or_internal(std::string_view doing, std::string_view text) {
  const bool memory = text.find("allocate memory") != std::string_view::npos ||
                      text.find("not enough memory") != std::string_view::npos ||
                      text.find("out of memory") != std::string_view::npos ||
                      text.find("ALLOC_FAILED") != std::string_view::npos;  // cuBLAS, cuDNN
  const std::string what = std::string(doing) + ": " + first_line(text);
  if (memory) return {Code::kDevice, what, std::string(kOutOfMemory)};
  return {Code::kInternal, what, "please report this"};
}

}  // namespace

Session::Guards::Guards() : silence(silent_warnings()) {}

Session::Session(std::string_view doing) {
  Gate& g = gate();
  if (g.process != 0 && g.process != getpid()) {
    error_ = Error{Code::kUnavailable,
                   std::string(doing) + ": the backend was opened before this process was forked",
                   "load models after the fork, or start the process anew"};
    return;
  }
  if (!g.exit.enter()) {
    error_ = Error{Code::kCancelled, std::string(doing) + ": the process is exiting", ""};
    return;
  }
  ++t_depth;
  thread_local bool t_threads_set = false;
  if (!std::exchange(t_threads_set, true)) at::init_num_threads();  // OpenMP keeps it per thread
  guards_.emplace();
}

Session::~Session() {
  if (error_) return;
  guards_.reset();
  --t_depth;
  gate().exit.leave();
}

Error current_exception_error(std::string_view doing) {
  try {
    throw;
  } catch (const c10::AcceleratorError& e) {
    constexpr int kMemoryAllocation = 2;  // cudaErrorMemoryAllocation
    if (e.get_error_code() == kMemoryAllocation) return device_or_internal(doing, "out of memory");
    // Its first line is CUDA's; what follows is advice for Python.
    return {is_sticky(e.get_error_code()) ? Code::kDeviceLost : Code::kDevice,
            std::string(doing) + ": " + first_line(e.what_without_backtrace()), ""};
  } catch (const c10::Error& e) {
    return device_or_internal(doing, e.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return device_or_internal(doing, "cannot allocate memory");
  } catch (const std::exception& e) {
    return device_or_internal(doing, e.what());
  }
}

bool is_out_of_memory(const Error& error) {
  return error.code == Code::kDevice &&
         (error.hint == kOutOfMemory || error.what.find("out of memory") != std::string::npos);
}

void arm_exit_gate() {
  std::atexit(close_gate);
}

void remember_process() {
  gate().process = getpid();
}

}  // namespace tv::inference
