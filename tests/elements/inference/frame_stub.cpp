// A backend that poses as a GPU's: its model takes frames, names the colour of a solid one and, as
// the CPU's stub does, the input's side, and finds the best classes by itself. Controlled as
// frame_stub.hpp says.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "elements/inference/engine.hpp"
#include "model_registry/transforms/plan.hpp"

namespace {

using tv::Code;
using tv::Error;
using tv::Result;

struct Controls {
  std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  bool held = false;
  int released = 0;  // inferences that end although all are held
  int fail = 0;
  int delay = 0;
  int inside = 0;
  int loads = 0;
  int models = 0;
  int largest_batch = 0;
  int whole = 0;         // batches that asked for all logits
  int most_classes = 0;  // that any batch asked for
  int device = -1, precision = -1;
  std::string unusable;  // why; empty: it is usable
  std::mt19937 random{1};
};
Controls& controls() {
  static Controls* const instance = new Controls;
  return *instance;
}

constexpr std::size_t kClasses = 1000;
constexpr int kSideClass = 512;  // stub_side()'s

template <typename F>
auto locked(F&& body) {
  const std::lock_guard lock(controls().mutex);
  controls().changed.notify_all();
  return body(controls());
}

struct Seen {
  int red = 0, green = 0, blue = 0;
  int side = 0;  // of the input that the network would get
};

/// Fails with Internal for blue pictures, in that mode.
Result<std::vector<float>> logits_of(const Seen& seen) {
  if (seen.blue == 255 && locked([](Controls& all) { return all.fail == 1; }))
    return Error{Code::kInternal, "the stub hates blue", ""};
  std::vector<float> logits(kClasses);
  logits[static_cast<std::size_t>(seen.red + (seen.green >= 128 ? 256 : 0))] = 9;
  logits[static_cast<std::size_t>(kSideClass + seen.side)] = 5;
  return logits;
}

/// Counts the pictures of a batch as inside. Fails: Device (too many of them, in that mode).
tv::Status enter(std::size_t count) {
  return locked([&](Controls& all) -> tv::Status {
    all.inside += static_cast<int>(count);
    all.largest_batch = std::max(all.largest_batch, static_cast<int>(count));
    if (all.fail == 2 && count > 1)
      return Error{Code::kDevice, "the stub holds one picture at a time", ""};
    return {};
  });
}

/// As long as a test holds inferences, and then some time at random.
void infer() {
  int delay = 0;
  {
    Controls& all = controls();
    std::unique_lock lock(all.mutex);
    if (all.delay > 0) delay = static_cast<int>(all.random() % static_cast<unsigned>(all.delay));
    all.changed.wait(lock, [&] { return !all.held || all.released > 0; });
    if (all.held) --all.released;
  }
  if (delay > 0) std::this_thread::sleep_for(std::chrono::microseconds(delay));
}

/// Reads the middle of RGB frames when wait_read() is called, not before: who lets go of the pixels
/// too early is found out by AddressSanitizer, or by the colour.
class FrameStub final : public tv::inference::LoadedModel, public tv::inference::FrameModel {
 public:
  using Picture = tv::inference::Picture;

  FrameStub() {
    locked([](Controls& all) { ++all.models; });
  }
  ~FrameStub() override {
    locked([](Controls& all) { --all.models; });
  }
  /// For the warm-up alone.
  Result<std::vector<float>> run(std::span<const float> /*input*/,
                                 const tv::Shape& shape) override {
    return std::vector<float>(static_cast<std::size_t>(shape[0]) * kClasses);
  }
  Result<std::vector<std::pair<std::string, tv::TensorView>>> state_dict() override {
    return Error{Code::kUnsupported, "a stub has no parameters", ""};
  }

  FrameModel* frames() override { return this; }
  unsigned slots() const override { return kSlots; }
  tv::Status begin(unsigned slot, std::span<const Picture* const> pictures,
                   unsigned top_k) override {
    Slot& mine = slots_[slot];
    mine = {};
    for (const Picture* picture : pictures) {
      if (picture->on_device || picture->view.format != tv::PixelFormat::kRgb)
        return Error{Code::kInvalidArgument, "the stub reads RGB frames of the computer's", ""};
      if (!picture->plan || picture->plan->width != picture->view.width ||
          picture->plan->height != picture->view.height)
        return Error{Code::kInvalidArgument, "a frame that is not its plan's", ""};
      mine.views.push_back(picture->view);
      mine.side = picture->plan->crop_size;
    }
    TV_RETURN_IF_ERROR(enter(pictures.size()));
    mine.top_k = top_k;
    locked([&](Controls& all) {
      all.whole += top_k == 0 ? 1 : 0;
      all.most_classes = std::max(all.most_classes, static_cast<int>(top_k));
    });
    return {};
  }
  tv::Status wait_read(unsigned slot) override {
    Slot& mine = slots_[slot];
    for (const tv::FrameView& view : mine.views) mine.seen.push_back(middle(view, mine.side));
    mine.views.clear();
    return {};
  }
  Result<std::vector<Answer>> end(unsigned slot) override {
    infer();
    const Slot mine = std::exchange(slots_[slot], {});
    std::vector<Answer> answers;
    for (const Seen& seen : mine.seen) {
      TV_ASSIGN_OR_RETURN(auto logits, logits_of(seen));
      if (mine.top_k == 0)
        answers.push_back({std::move(logits), {}});
      else
        answers.push_back({{}, tv::inference::top_k(logits, static_cast<int>(mine.top_k))});
    }
    return answers;
  }

 private:
  static constexpr unsigned kSlots = 2;
  struct Slot {
    std::vector<tv::FrameView> views;
    std::vector<Seen> seen;
    unsigned top_k = 0;
    int side = 0;
  };
  static Seen middle(const tv::FrameView& view, int side) {
    const auto& plane = view.planes[0];
    const std::uint8_t* const at = plane.data + (view.crop_y + view.height / 2) * plane.stride +
                                   (view.crop_x + view.width / 2) * 3;
    return {at[0], at[1], at[2], side};
  }

  Slot slots_[kSlots];
};

class StubBackend final : public tv::inference::Backend {
 public:
  std::string description() const override { return "stub"; }
  Result<std::unique_ptr<tv::inference::LoadedModel>> load(
      const tv::inference::LoadRequest& request) override {
    locked([&](Controls& all) {
      ++all.loads;
      all.device = request.device_index;
      all.precision = static_cast<int>(request.precision);
    });
    return std::unique_ptr<tv::inference::LoadedModel>(std::make_unique<FrameStub>());
  }
  tv::Status usable(int device_index) override {
    return locked([&](Controls& all) -> tv::Status {
      if (all.unusable.empty()) return {};
      return Error{Code::kUnavailable, "GPU " + std::to_string(device_index) + ": " + all.unusable,
                   "mend the stub"};
    });
  }
};

}  // namespace

extern "C" {

tv::inference::Backend* tv_backend_open(int version) {
  static StubBackend backend;
  return version == tv::inference::kBackendVersion ? &backend : nullptr;
}
void tv_frame_stub_hold(int held) {
  locked([&](Controls& all) { all.held = held != 0; });
}
void tv_frame_stub_release(int count) {
  locked([&](Controls& all) { all.released += count; });
}
void tv_frame_stub_wait_inside(int count) {
  std::unique_lock lock(controls().mutex);
  controls().changed.wait(lock, [&] { return controls().inside >= count; });
}
void tv_frame_stub_fail(int mode) {
  locked([&](Controls& all) { all.fail = mode; });
}
void tv_frame_stub_delay(int microseconds) {
  locked([&](Controls& all) { all.delay = microseconds; });
}
int tv_frame_stub_loads() {
  return locked([](Controls& all) { return all.loads; });
}
int tv_frame_stub_models() {
  return locked([](Controls& all) { return all.models; });
}
int tv_frame_stub_largest_batch() {
  return locked([](Controls& all) { return all.largest_batch; });
}
void tv_frame_stub_unusable(const char* why) {
  locked([&](Controls& all) { all.unusable = why; });
}
int tv_frame_stub_whole() {
  return locked([](Controls& all) { return all.whole; });
}
int tv_frame_stub_most_classes() {
  return locked([](Controls& all) { return all.most_classes; });
}
int tv_frame_stub_device() {
  return locked([](Controls& all) { return all.device; });
}
int tv_frame_stub_precision() {
  return locked([](Controls& all) { return all.precision; });
}
void tv_frame_stub_reset() {
  locked([](Controls& all) {
    all.unusable.clear();
    all.whole = all.most_classes = 0;
    all.device = all.precision = -1;
    all.held = false;
    all.released = all.fail = all.delay = all.inside = all.loads = all.largest_batch = 0;
  });
}
}
