// Writes the random numbers of a small network that uses every rule of initialisation, for
// test_init.py.
#include <fstream>
#include <iostream>

#include "elements/inference/engine.hpp"
#include "tests/model_registry/graph/networks.hpp"

namespace {

using tv::graph::Build;
using tv::graph::Value;
using tv::test::SketchModule;

tv::graph::Network every_rule() {
  return tv::test::sketch(
      [](SketchModule& m, Build& build) {
        namespace nn = tv::nn;
        const auto conv =
            m.make<nn::Conv2d>("conv", build, 6, 8, 3, nn::Conv2dOptions{.groups = 2});
        const nn::Linear dropped(build, 5, 3);
        const auto fc = m.make<nn::Linear>("fc", build, 7, 5);
        const auto small =
            m.make<nn::Linear>("small", build, 3, 2);  // LibTorch draws few numbers another way
        build.trunc_normal(conv->weight(), 0.1, 0.5, -0.3, 0.7);
        build.xavier_uniform(fc->weight());
        build.normal(fc->bias(), 0, 1e-6);
        build.normal(small->weight(), 1, 2);
        build.uniform(small->bias(), -3, 4);
        build.kaiming_normal(dropped.weight(), Build::Fan::kIn);
        build.constant(conv->bias(), 1e-6);
        const auto last =
            m.make<nn::Conv2d>("last", build, 4, 20, 1, nn::Conv2dOptions{.bias = false});
        build.kaiming_uniform(last->weight(), 0, Build::Fan::kOut);
        return [](Value x) { return x; };
      },
      1);
}

}  // namespace

int main(int, char** argv) {
  using namespace tv::inference;
  const auto backend = open_backend(DeviceKind::kCpu);
  if (!backend) return std::cerr << backend.error().text() << "\n", 1;
  const auto model =
      (*backend)->load({.network = std::make_shared<const tv::graph::Network>(every_rule()),
                        .seed = std::strtoull(argv[1], nullptr, 10)});
  if (!model) return std::cerr << model.error().text() << "\n", 1;
  std::ofstream out(argv[2], std::ios::binary);
  const auto state = (*model)->state_dict();
  for (const auto& [name, view] : *state) {
    const auto bytes = tv::contiguous_bytes(view);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
  }
  return 0;
}
