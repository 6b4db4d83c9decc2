// A backend without LibTorch, for tests of what is around it: it names the colour of a solid
// picture, so that a test sees whose result a frame got. Controlled as stub_backend.hpp says. With
// -DTV_STUB_FRAMES=1 it poses as the GPUs': its models take frames, preprocess them and find the
// best classes by themselves.
#include "tests/elements/inference/stub_backend.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "elements/inference/engine.hpp"
#include "elements/preprocess/preprocess.hpp"

namespace {

using tv::Code;
using tv::Error;
using tv::Result;

constexpr bool kTakesFrames = TV_STUB_FRAMES;

/// What reset() resets.
struct Told {
  int held = 0;      // 1: all inferences; more: those of pictures of this side
  int released = 0;  // inferences that end although all are held
  bool reading_held = false;
  int fail = 0;
  int delay = 0;
  std::string unusable;  // why; empty: it is usable
  int stalled_at = 0;    // the stage of loading that waits for a cancel
  int stalled = 0;       // that wait there
  int reading = 0;       // batches of frames whose pixels are or have been read
  int inside = 0;
  int loads = 0;
  int calls = 0;  // of a model or for one, its end included
  int largest_batch = 0;
  int prepared_batch = 0;  // the largest
  int whole = 0;           // batches of frames that asked for all logits
  int most_classes = 0;    // that a batch of frames asked for
  int device = -1, precision = -1;
};
struct Controls : Told {
  std::mutex mutex;  // guards everything
  std::condition_variable changed;
  int models = 0;
  tv::test::SeenFrame seen;
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

template <typename F>
void wait_until(F&& is_so) {
  std::unique_lock lock(controls().mutex);
  controls().changed.wait(lock, [&] { return is_so(controls()); });
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

/// What writes a frame has done so: a real model has its stream wait. `event` is the fake driver's.
void wait_for(void* event) {
  using Wait = int (*)(void*);
  static const auto kWait = reinterpret_cast<Wait>(
      dlsym(dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL), "cuEventSynchronize"));
  kWait(event);
}

// ---- the three parts of an inference ----------------------------------------------------------

/// Counts a batch as inside. Fails: Device (too many pictures, in that mode).
tv::Status enter(std::size_t count) {
  return locked([&](Controls& all) -> tv::Status {
    ++all.calls;
    all.inside += static_cast<int>(count);
    all.largest_batch = std::max(all.largest_batch, static_cast<int>(count));
    if (all.fail == 2 && count > 1)
      return Error{Code::kDevice, "the stub holds one picture at a time", ""};
    return {};
  });
}

/// As long as a test holds inferences of this side, and then some time at random.
void infer(int side) {
  int delay = 0;
  {
    Controls& all = controls();
    std::unique_lock lock(all.mutex);
    if (all.delay > 0) delay = static_cast<int>(all.random() % static_cast<unsigned>(all.delay));
    const auto held = [&] { return all.held == 1 || all.held == side; };
    all.changed.wait(lock, [&] { return !held() || all.released > 0; });
    if (held()) --all.released;
  }
  // An inference takes time, at random: who mixes up frames is found out. Nobody waits by it.
  if (delay > 0) std::this_thread::sleep_for(std::chrono::microseconds(delay));
}

/// Of an input [count,3,side,side]. Fails in the modes that blue pictures have: Internal,
/// DeviceLost.
Result<std::vector<float>> logits_of(std::span<const float> input, std::size_t count, int side) {
  const std::size_t plane = input.size() / count / 3;
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
    const int best = tv::test::stub_class(channel(0), channel(1) >= 128);
    logits[i * kClasses + static_cast<std::size_t>(best)] = 9;
    logits[i * kClasses + static_cast<std::size_t>(kSideClass + side)] = 5;
  }
  return logits;
}

// ---- models -----------------------------------------------------------------------------------

class Stub : public tv::inference::LoadedModel {
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
    const auto side = static_cast<int>(shape[2]);
    const tv::Status entered = enter(count);
    infer(side);
    TV_RETURN_IF_ERROR(entered);
    return logits_of(input, count, side);
  }
  Result<std::vector<std::pair<std::string, tv::TensorView>>> state_dict() override {
    return Error{Code::kUnsupported, "a stub has no parameters", ""};
  }
};

/// Reads the pixels when wait_read() is called, not before: who lets go of them too early is found
/// out by AddressSanitizer, or by the colour. Those of a GPU's memory, too, for the fake driver
/// keeps them where a CPU can read them.
class FrameStub final : public Stub, public tv::inference::FrameModel {
 public:
  using Picture = tv::inference::Picture;

  FrameModel* frames() override { return this; }
  unsigned slots() const override { return kSlots; }
  tv::Status begin(unsigned slot, std::span<const Picture* const> pictures,
                   unsigned top_k) override {
    for (const Picture* picture : pictures)
      TV_RETURN_IF_ERROR(tv::preprocess::check_frame(*picture->plan, picture->view));
    TV_RETURN_IF_ERROR(enter(pictures.size()));
    slots_[slot] = {{pictures.begin(), pictures.end()}, {}, top_k, pictures[0]->plan->crop_size};
    locked([&](Controls& all) {
      all.whole += top_k == 0 ? 1 : 0;
      all.most_classes = std::max(all.most_classes, static_cast<int>(top_k));
      const Picture& last = *pictures.back();
      all.seen = {last.view.planes[0].data, last.view.planes[0].stride, last.on_device,
                  last.written, all.seen.frames + static_cast<int>(pictures.size())};
    });
    return {};
  }
  tv::Status wait_read(unsigned slot) override {
    locked([](Controls& all) { ++all.calls, ++all.reading; });
    wait_until([](const Controls& all) { return !all.reading_held; });
    Slot& mine = slots_[slot];
    const auto side = static_cast<std::size_t>(mine.side);
    const std::size_t size = 3 * side * side;
    mine.input.resize(mine.pictures.size() * size);
    std::span<float> rest = mine.input;
    for (const Picture* picture : mine.pictures) {
      if (picture->written) wait_for(picture->written);
      TV_ASSIGN_OR_RETURN(auto preprocessor, tv::make_preprocessor(*picture->plan));
      TV_RETURN_IF_ERROR(preprocessor->run(picture->view, rest.first(size)));
      rest = rest.subspan(size);
    }
    return {};
  }
  Result<std::vector<Answer>> end(unsigned slot) override {
    locked([](Controls& all) { ++all.calls; });
    infer(slots_[slot].side);
    const Slot mine = std::exchange(slots_[slot], {});
    const std::size_t count = mine.pictures.size();
    TV_ASSIGN_OR_RETURN(const auto logits, logits_of(mine.input, count, mine.side));
    std::vector<Answer> answers(count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::span row = std::span(logits).subspan(i * kClasses, kClasses);
      if (mine.top_k == 0)
        answers[i].logits.assign(row.begin(), row.end());
      else
        answers[i].top = tv::inference::top_k(row, static_cast<int>(mine.top_k));
    }
    return answers;
  }

 private:
  static constexpr unsigned kSlots = 2;
  struct Slot {
    std::vector<const Picture*> pictures;  // not to be touched behind wait_read()
    std::vector<float> input;
    unsigned top_k = 0;
    int side = 0;
  };
  Slot slots_[kSlots];
};

class StubBackend final : public tv::inference::Backend {
 public:
  std::string description() const override { return "stub"; }
  tv::Status usable(int device_index) override {
    return locked([&](Controls& all) -> tv::Status {
      if (all.unusable.empty()) return {};
      return Error{Code::kUnavailable, "GPU " + std::to_string(device_index) + ": " + all.unusable,
                   "mend the stub"};
    });
  }
  Result<std::unique_ptr<tv::inference::LoadedModel>> load(
      const tv::inference::LoadRequest& request) override {
    locked([&](Controls& all) {
      ++all.loads, ++all.calls;
      all.device = request.device_index;
      all.precision = static_cast<int>(request.precision);
    });
    if (is_failing(4)) return Error{Code::kDeviceLost, "the stub fell off the bus", ""};
    TV_RETURN_IF_ERROR(stall(1, request.cancelled));
    std::unique_ptr<tv::inference::LoadedModel> model;
    if constexpr (kTakesFrames)
      model = std::make_unique<FrameStub>();
    else
      model = std::make_unique<Stub>();
    return model;
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
void tv_stub_hold_reading(int held) {
  locked([&](Controls& all) { all.reading_held = held != 0; });
}
void tv_stub_wait_reading(int count) {
  wait_until([&](const Controls& all) { return all.reading >= count; });
}
void tv_stub_wait_inside(int count) {
  wait_until([&](const Controls& all) { return all.inside >= count; });
}
void tv_stub_fail(int mode) {
  locked([&](Controls& all) { all.fail = mode; });
}
void tv_stub_unusable(const char* why) {
  locked([&](Controls& all) { all.unusable = why; });
}
void tv_stub_delay(int microseconds) {
  locked([&](Controls& all) { all.delay = microseconds; });
}
void tv_stub_stall(int stage) {
  locked([&](Controls& all) { all.stalled_at = stage; });
}
void tv_stub_wait_stalled(int count) {
  wait_until([&](const Controls& all) { return all.stalled >= count; });
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
int tv_stub_whole() {
  return locked([](Controls& all) { return all.whole; });
}
int tv_stub_most_classes() {
  return locked([](Controls& all) { return all.most_classes; });
}
int tv_stub_device() {
  return locked([](Controls& all) { return all.device; });
}
int tv_stub_precision() {
  return locked([](Controls& all) { return all.precision; });
}
void tv_stub_seen(tv::test::SeenFrame* seen) {
  locked([&](Controls& all) { *seen = all.seen; });
}
void tv_stub_reset() {
  locked([](Controls& all) { static_cast<Told&>(all) = {}; });
}
}
