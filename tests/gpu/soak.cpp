// Batches of all sizes through a model's frames for a time; the memory of the process and of the
// GPU must not grow.
//   gpu_soak SECONDS [BUILDER]
// Prints a line each tenth of the time: seconds, batches, resident MiB, free MiB of the GPU.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>

#include "elements/inference/engine.hpp"
#include "model_registry/registry/registry.hpp"
#include "model_registry/transforms/plan.hpp"
#include "tests/elements/preprocess/frames.hpp"
#include "tests/gpu/gpu.hpp"

using namespace tv;
using namespace tv::gpu;
using namespace tv::inference;
using namespace tv::test;

extern "C" long tv_gpu_free_mebibytes();

namespace {

long resident_mebibytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stol(line.substr(6)) / 1024;
  return 0;
}

constexpr std::size_t kMost = 33;
constexpr long kGrowth = 64;  // MiB that caches may take after the first tenth

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: gpu_soak SECONDS [BUILDER]\n"), 2;
  need_gpu();
  const int seconds = std::max(10, std::atoi(argv[1]));
  ModelSpec spec;
  spec.builder = argc > 2 ? argv[2] : "resnet18";
  spec.device = Device{DeviceKind::kCuda, 0};
  const ReadyModel ready = value_of(load_model(spec), spec.builder);
  FrameModel* const frames = ready.model->frames();
  require(frames != nullptr, "the model takes no frames");
  const Transforms recipe = value_of(get_model_weights(spec.builder), "weights").front()->preset;
  Bytes random(1);
  std::vector<OwnedFrame> owned;
  std::vector<Picture> pictures;
  for (std::size_t i = 0; i < kMost; ++i) {
    FrameShape shape;
    shape.width = 1920;
    shape.height = 1080;
    owned.push_back(make_frame(PixelFormat::kNv12, shape, [&] { return random(); }));
  }
  const auto plan = std::make_shared<const Plan>(value_of(make_plan(recipe, 1920, 1080), "plan"));
  for (const OwnedFrame& frame : owned)
    pictures.push_back(Picture{.view = frame.view, .plan = plan, .pixels = {}});
  const unsigned slots = frames->slots();
  std::vector<std::vector<const Picture*>> under_way(slots);
  const auto end = [&](unsigned slot) {
    if (under_way[slot].empty()) return;
    require_ok(frames->wait_read(slot), "wait_read");
    const auto answers = value_of(frames->end(slot), "end");
    require(answers.size() == under_way[slot].size(), "another number of answers");
    under_way[slot].clear();
  };

  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  std::uint64_t batches = 0;
  long resident = 0, free = 0;
  for (int tenth = 1; tenth <= 10;) {
    const auto slot = static_cast<unsigned>(batches % slots);
    end(slot);
    const std::size_t count = 1 + batches * 7 % kMost;
    for (std::size_t i = 0; i < count; ++i) under_way[slot].push_back(&pictures[i]);
    require_ok(frames->begin(slot, under_way[slot], batches % 3 == 0 ? 0U : 5U), "begin");
    ++batches;
    if (Clock::now() - begin < std::chrono::seconds(seconds) * tenth / 10) continue;
    const long now = resident_mebibytes(), left = tv_gpu_free_mebibytes();
    std::printf("%4d s  %9llu batches  %6ld MiB resident  %7ld MiB free on the GPU\n",
                seconds * tenth / 10, static_cast<unsigned long long>(batches), now, left);
    std::fflush(stdout);
    if (tenth == 1) {
      resident = now;
      free = left;
    }
    require(now - resident <= kGrowth,
            "the process has grown by " + std::to_string(now - resident) + " MiB");
    require(free - left <= kGrowth, "the GPU has lost " + std::to_string(free - left) + " MiB");
    ++tenth;
  }
  for (unsigned slot = 0; slot < slots; ++slot) end(slot);
  return 0;
}
