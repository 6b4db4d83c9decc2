// Models that are loaded, prepared and run beside each other, each on a thread of its own, as by
// two elements: kernels are chosen and graphs recorded while another one computes.
#include <algorithm>
#include <cmath>
#include <thread>

#include "elements/inference/engine.hpp"
#include "tests/gpu/gpu.hpp"

using namespace tv;
using namespace tv::gpu;
using namespace tv::inference;

namespace {

constexpr const char* kBuilders[] = {"resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5"};
constexpr int kRounds = 3;
constexpr int kSide = 224;
constexpr std::int64_t kBatches[] = {1, 3, 8};

/// The logits of each batch size.
std::vector<std::vector<float>> answers_of(const std::string& builder) {
  ModelSpec spec;
  spec.builder = builder;
  spec.seed = 5;
  spec.device = Device{DeviceKind::kCuda, 0};
  spec.precision = Precision::kFloat32;
  const ReadyModel ready = value_of(load_model(spec, {}, kSide), builder);
  std::vector<std::vector<float>> answers;
  for (const std::int64_t n : kBatches) {
    std::vector<float> input(static_cast<std::size_t>(n * 3 * kSide * kSide));
    for (std::size_t i = 0; i < input.size(); ++i)
      input[i] = std::sin(static_cast<float>(i % 10007) * 0.1F);
    answers.push_back(value_of(ready.model->run(input, {n, 3, kSide, kSide}), builder));
  }
  return answers;
}

void compare(const std::vector<float>& found, const std::vector<float>& expected,
             const std::string& what) {
  require(found.size() == expected.size(), what + ": another number of logits");
  float largest = 0, off = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    largest = std::max(largest, std::fabs(expected[i]));
    off = std::max(off, std::fabs(expected[i] - found[i]));
  }
  require(off <= 1e-3F * largest, what + ": off by " + std::to_string(off / largest));
}

}  // namespace

int main() {
  need_gpu();
  constexpr std::size_t kModels = std::size(kBuilders);
  std::vector<std::vector<std::vector<float>>> alone;
  for (const char* builder : kBuilders) alone.push_back(answers_of(builder));
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::vector<std::vector<float>>> beside(kModels);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kModels; ++i)
      threads.emplace_back([&, i] { beside[i] = answers_of(kBuilders[i]); });
    for (std::thread& thread : threads) thread.join();
    for (std::size_t i = 0; i < kModels; ++i)
      for (std::size_t b = 0; b < std::size(kBatches); ++b)
        compare(beside[i][b], alone[i][b],
                std::string(kBuilders[i]) + ", batch " + std::to_string(kBatches[b]));
  }
}
