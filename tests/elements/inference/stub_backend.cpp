// A backend without LibTorch, for tests of what is around it: it names the colour of a solid
// picture, so that a test sees whose result a frame got. Controlled as stub_backend.hpp says.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "elements/inference/engine.hpp"

namespace {

using tv::Code;
using tv::Error;
using tv::Result;

struct Controls {
  std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  int held = 0;      // 1: all inferences; more: those of pictures of this side
  int released = 0;  // inferences that end although all are held
  int fail = 0;
  int delay = 0;
  int inside = 0;
  int loads = 0;
  int calls = 0;  // of a model or for one, its end included
  int models = 0;
  int largest_batch = 0;
  int prepared_batch = 0;  // the largest
  int stalled_at = 0;      // the stage of loading that waits for a cancel
  int stalled = 0;         // that wait there
  std::mt19937 random{1};
};
Controls& controls() {
  static Controls* const instance = new Controls;
  return *instance;
}

constexpr std::size_t kClasses = 1000;
constexpr int kSideClass = 512;  // stub_side()'s
// ImageNet's, as all published entries have them.
constexpr float kMean[] = {0.485F, 0.456F, 0.406F};
constexpr float kStd[] = {0.229F, 0.224F, 0.225F};

template <typename F>
auto locked(F&& body) {
  const std::lock_guard lock(controls().mutex);
  controls().changed.notify_all();
  return body(controls());
}

/// Stands for seconds of work: where this stage is to stall, it ends when it is cancelled, and only
/// then.
tv::Status stall(int stage, const tv::CancelCheck& cancelled) {
  if (!locked([&](Controls& all) {
        all.stalled += all.stalled_at == stage ? 1 : 0;
        return all.stalled_at == stage;
      }))
    return {};
  while (!cancelled()) std::this_thread::yield();
  return tv::check_cancelled(cancelled, "the stub");
}

bool is_failing(int mode) {
  const std::lock_guard lock(controls().mutex);
  return controls().fail == mode;
}

class Stub final : public tv::inference::LoadedModel {
 public:
  Stub() {
    locked([](Controls& all) { ++all.models; });
  }
  ~Stub() override {
    locked([](Controls& all) { --all.models, ++all.calls; });
  }
  tv::Status prepare(const tv::Shape& shape, const tv::CancelCheck& cancelled) override {
    locked([&](Controls& all) {
      ++all.calls;
      all.prepared_batch = std::max(all.prepared_batch, static_cast<int>(shape[0]));
    });
    return stall(2, cancelled);
  }
  Result<std::vector<float>> run(std::span<const float> input, const tv::Shape& shape) override {
    const auto count = static_cast<std::size_t>(shape[0]);
    const std::size_t plane = input.size() / count / 3;
    const auto side = static_cast<int>(shape[2]);
    int delay = 0;
    bool fails = false;
    {
      Controls& all = controls();
      std::unique_lock lock(all.mutex);
      ++all.calls;
      all.inside += static_cast<int>(count);
      all.largest_batch = std::max(all.largest_batch, static_cast<int>(count));
      if (all.delay > 0) delay = static_cast<int>(all.random() % static_cast<unsigned>(all.delay));
      fails = all.fail == 2 && count > 1;
      all.changed.notify_all();
      const auto held = [&] { return all.held == 1 || all.held == side; };
      all.changed.wait(lock, [&] { return !held() || all.released > 0; });
      if (held()) --all.released;
    }
    if (delay > 0) std::this_thread::sleep_for(std::chrono::microseconds(delay));
    if (fails) return Error{Code::kDevice, "the stub holds one picture at a time", ""};
    std::vector<float> logits(count * kClasses);
    for (std::size_t i = 0; i < count; ++i) {
      const auto channel = [&](std::size_t c) {
        const float normalised = input[(i * 3 + c) * plane + plane / 2];
        return static_cast<int>(std::lround((normalised * kStd[c] + kMean[c]) * 255));
      };
      if (is_failing(1) && channel(2) == 255)
        return Error{Code::kInternal, "the stub hates blue", ""};
      if (is_failing(3) && channel(2) == 255)
        return Error{Code::kDeviceLost, "the stub fell off the bus at blue", "ignored"};
      logits[i * kClasses + static_cast<std::size_t>(channel(0) + (channel(1) >= 128 ? 256 : 0))] =
          9;
      logits[i * kClasses + static_cast<std::size_t>(kSideClass + side)] = 5;
    }
    return logits;
  }
  Result<std::vector<std::pair<std::string, tv::TensorView>>> state_dict() override {
    return Error{Code::kUnsupported, "a stub has no parameters", ""};
  }

 private:
};

class StubBackend final : public tv::inference::Backend {
 public:
  std::string description() const override { return "stub"; }
  tv::Status usable(int /*device_index*/) override {
    if (!is_failing(5)) return {};
    return Error{Code::kUnavailable, "the stub's driver is too old (driver 12.2, runtime 13.0)",
                 ""};
  }
  Result<std::unique_ptr<tv::inference::LoadedModel>> load(
      const tv::inference::LoadRequest& request) override {
    locked([](Controls& all) { ++all.loads, ++all.calls; });
    if (is_failing(4)) return Error{Code::kDeviceLost, "the stub fell off the bus", ""};
    TV_RETURN_IF_ERROR(stall(1, request.cancelled));
    return std::unique_ptr<tv::inference::LoadedModel>(std::make_unique<Stub>());
  }
};

}  // namespace

extern "C" {

tv::inference::Backend* tv_backend_open(int version) {
  static StubBackend backend;
  return version == tv::inference::kBackendVersion ? &backend : nullptr;
}
void tv_stub_hold(int held) {
  locked([&](Controls& all) { all.held = held; });
}
void tv_stub_release(int count) {
  locked([&](Controls& all) { all.released += count; });
}
void tv_stub_wait_inside(int count) {
  std::unique_lock lock(controls().mutex);
  controls().changed.wait(lock, [&] { return controls().inside >= count; });
}
void tv_stub_fail(int mode) {
  locked([&](Controls& all) { all.fail = mode; });
}
void tv_stub_delay(int microseconds) {
  locked([&](Controls& all) { all.delay = microseconds; });
}
void tv_stub_stall(int stage) {
  locked([&](Controls& all) { all.stalled_at = stage; });
}
void tv_stub_wait_stalled(int count) {
  std::unique_lock lock(controls().mutex);
  controls().changed.wait(lock, [&] { return controls().stalled >= count; });
}
int tv_stub_loads() {
  return locked([](Controls& all) { return all.loads; });
}
int tv_stub_calls() {
  return locked([](Controls& all) { return all.calls; });
}
int tv_stub_models() {
  return locked([](Controls& all) { return all.models; });
}
int tv_stub_largest_batch() {
  return locked([](Controls& all) { return all.largest_batch; });
}
int tv_stub_prepared_batch() {
  return locked([](Controls& all) { return all.prepared_batch; });
}
void tv_stub_reset() {
  locked([](Controls& all) {
    all.held = 0;
    all.released = all.fail = all.delay = all.inside = all.loads = all.calls = all.largest_batch =
        0;
    all.stalled_at = all.stalled = all.prepared_batch = 0;
  });
}
}
