// A backend for GPUs without LibTorch and without a GPU: it takes frames, which the fake driver
// keeps where a CPU can read them, and names their colour as the stub for the CPU does. What it saw
// last can be asked for.
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <vector>

#include "elements/inference/engine.hpp"
#include "elements/preprocess/preprocess.hpp"
#include "tests/elements/tvclassify/cuda/frame_backend.hpp"

namespace {

using namespace tv;
using namespace tv::inference;

std::mutex g_mutex;
std::condition_variable g_changed;
bool g_held = false;     // guarded
test::SeenFrame g_seen;  // guarded

constexpr std::size_t kClasses = 1000;
constexpr float kMean[] = {0.485F, 0.456F, 0.406F};
constexpr float kStd[] = {0.229F, 0.224F, 0.225F};

class Model final : public LoadedModel, public FrameModel {
 public:
  Result<std::vector<float>> run(std::span<const float>, const Shape& shape) override {
    return std::vector<float>(static_cast<std::size_t>(shape[0]) * kClasses);
  }
  FrameModel* frames() override { return this; }
  Result<std::vector<std::pair<std::string, TensorView>>> state_dict() override {
    return Error{Code::kUnsupported, "a stub has no parameters", ""};
  }

  unsigned slots() const override { return 2; }
  Status begin(unsigned slot, std::span<const Picture* const> pictures, unsigned) override {
    answers_[slot].clear();
    for (const Picture* picture : pictures) {
      const FrameView& view = picture->view;
      {
        const std::lock_guard lock(g_mutex);
        g_seen = {view.planes[0].data, view.planes[0].stride, picture->on_device, picture->written,
                  g_seen.frames + 1};
      }
      const auto side = static_cast<std::size_t>(picture->plan->crop_size);
      std::vector<float> input(3 * side * side);
      TV_ASSIGN_OR_RETURN(auto preprocessor, make_preprocessor(Plan(*picture->plan)));
      TV_RETURN_IF_ERROR(preprocessor->run(view, input));
      const auto channel = [&](std::size_t c) {
        const float normalised = input[c * side * side + side * side / 2];
        return static_cast<int>(std::lround((normalised * kStd[c] + kMean[c]) * 255));
      };
      Answer answer;
      answer.top = {{channel(0) + (channel(1) >= 128 ? 256 : 0), 1.0F}};
      answers_[slot].push_back(std::move(answer));
    }
    return {};
  }
  Status wait_read(unsigned) override {
    std::unique_lock lock(g_mutex);
    g_changed.wait(lock, [] { return !g_held; });
    return {};
  }
  Result<std::vector<Answer>> end(unsigned slot) override { return std::move(answers_[slot]); }

 private:
  std::vector<Answer> answers_[2];
};

class FrameBackend final : public Backend {
 public:
  std::string description() const override { return "frames"; }
  Result<std::unique_ptr<LoadedModel>> load(const LoadRequest&) override {
    return std::unique_ptr<LoadedModel>(std::make_unique<Model>());
  }
};

}  // namespace

extern "C" {
Backend* tv_backend_open(int version) {
  static FrameBackend backend;
  return version == kBackendVersion ? &backend : nullptr;
}
void tv_frame_backend_hold(int held) {
  const std::lock_guard lock(g_mutex);
  g_held = held != 0;
  g_changed.notify_all();
}
void tv_frame_backend_seen(tv::test::SeenFrame* seen) {
  const std::lock_guard lock(g_mutex);
  *seen = g_seen;
}
}
