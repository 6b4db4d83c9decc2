// Batches of small frames in GPU memory through a model that takes frames, timed on demand.
//   gpu-model-benchmark BUILDER PRECISION BATCH
// Prints "ready SIDE"; then for each line that it reads the milliseconds of one batch, of many
// that follow each other through all slots. What is measured is all of it: RGB frames of the
// input's size are normalised, run, and the five best classes come back. models.py drives it.
#include <chrono>
#include <iostream>
#include <string>

#include "elements/inference/engine.hpp"
#include "model_registry/registry/registry.hpp"
#include "model_registry/transforms/plan.hpp"
#include "tests/elements/preprocess/frames.hpp"
#include "tests/gpu/gpu.hpp"

using namespace tv;
using namespace tv::gpu;
using namespace tv::inference;

int main(int argc, char** argv) {
  if (argc != 4)
    return std::fprintf(stderr, "usage: gpu-model-benchmark BUILDER PRECISION BATCH\n"), 2;
  need_gpu();
  const auto count = static_cast<std::size_t>(std::stoul(argv[3]));
  ModelSpec spec;
  spec.builder = argv[1];
  spec.device = Device{DeviceKind::kCuda, 0};
  spec.precision = value_of(parse_precision(argv[2]), "precision");
  const ReadyModel ready = value_of(load_model(spec), spec.builder);
  FrameModel* const frames = ready.model->frames();
  require(frames != nullptr, "the model takes no frames");
  Transforms recipe = value_of(get_model_weights(spec.builder), "weights").front()->preset;
  recipe.crop_size = recipe.resize_size = 224;
  test::Bytes random(1);
  test::FrameShape shape;
  shape.width = shape.height = 224;
  const test::OwnedFrame frame =
      test::make_frame(PixelFormat::kRgb, shape, [&] { return random(); });
  const DeviceCopy copy(frame.memory);
  Picture picture;
  picture.view = moved(frame.view, frame.memory, copy.data());
  picture.on_device = true;
  picture.plan = std::make_shared<const Plan>(value_of(make_plan(recipe, 224, 224), "plan"));
  const std::vector<const Picture*> batch(count, &picture);
  const unsigned slots = frames->slots();

  const auto run = [&](unsigned batches) {
    std::vector<bool> busy(slots);
    for (unsigned i = 0; i < batches + slots; ++i) {
      const unsigned slot = i % slots;
      if (busy[slot]) {
        require_ok(frames->wait_read(slot), "wait_read");
        static_cast<void>(value_of(frames->end(slot), "end"));
        busy[slot] = false;
      }
      if (i >= batches) continue;
      require_ok(frames->begin(slot, batch, 5), "begin");
      busy[slot] = true;
    }
  };
  run(6);  // captures, chooses kernels
  std::cout << "ready " << recipe.crop_size << std::endl;
  const unsigned repeats = count >= 64 ? 10 : 50;
  for (std::string line; std::getline(std::cin, line);) {
    const auto begin = std::chrono::steady_clock::now();
    run(repeats);
    const std::chrono::duration<double, std::milli> spent =
        std::chrono::steady_clock::now() - begin;
    std::cout << spent.count() / repeats << std::endl;
  }
  return 0;
}
