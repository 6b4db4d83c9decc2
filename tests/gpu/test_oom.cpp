// What a model says when other things have taken the GPU's memory: Device, in words, and the same
// model goes on when there is memory again. Fills the GPU: a process of its own, nothing beside it.
#include <memory>
#include <vector>

#include "elements/inference/engine.hpp"
#include "tests/gpu/gpu.hpp"

using namespace tv;
using namespace tv::gpu;
using namespace tv::inference;

namespace {

/// Device memory to the last MiB.
class Filler {
 public:
  Filler() {
    for (const std::size_t mebibytes : {256U, 16U, 1U}) {
      const std::vector<std::uint8_t> block(std::size_t{mebibytes} << 20);
      for (void* memory = nullptr;
           preprocess::device_upload(block.data(), block.size(), &memory) == 0;) {
        blocks_.push_back(memory);
        bytes_ += block.size();
      }
    }
  }
  ~Filler() {
    for (void* memory : blocks_) preprocess::device_release(memory);
  }
  Filler(const Filler&) = delete;
  Filler& operator=(const Filler&) = delete;
  std::size_t mebibytes() const { return bytes_ >> 20; }

 private:
  std::vector<void*> blocks_;
  std::size_t bytes_ = 0;
};

}  // namespace

int main() {
  need_gpu();
  ModelSpec spec;
  spec.builder = "resnet18";
  spec.device = Device{DeviceKind::kCuda, 0};
  ReadyModel ready = value_of(load_model(spec), "load");
  constexpr std::int64_t kLarge = 512;
  const std::vector<float> one(std::size_t{3} * 224 * 224, 0.5F);
  const std::vector<float> many(static_cast<std::size_t>(kLarge) * one.size(), 0.5F);
  const auto before = value_of(ready.model->run(one, {1, 3, 224, 224}), "run");
  {
    const Filler filler;
    std::printf("%zu MiB taken\n", filler.mebibytes());
    require(filler.mebibytes() > 0, "nothing could be taken");
    const auto run = ready.model->run(many, {kLarge, 3, 224, 224});
    require(!run, "a batch of 512 ran without memory");
    require(run.error().code == Code::kDevice, "expected Device, found " + run.error().text());
    require(run.error().what.find("memory") != std::string::npos,
            "the error does not say that memory lacks: " + run.error().text());
    ModelSpec large = spec;
    large.builder = "vgg16";
    // The warm-up puts the numbers on the GPU.
    const auto loaded = load_model(large, {}, 224);
    require(!loaded && loaded.error().code == Code::kDevice,
            "loading 500 MiB of weights without memory: " +
                (loaded ? std::string("it worked") : loaded.error().text()));
  }
  require(value_of(ready.model->run(one, {1, 3, 224, 224}), "run after it") == before,
          "other logits when there is memory again");
  static_cast<void>(
      value_of(ready.model->run(many, {kLarge, 3, 224, 224}), "a batch of 512 with memory"));
  std::printf("memory lacked, was told of, and came back\n");
  return 0;
}
