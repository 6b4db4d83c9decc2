// A backend module without LibTorch, for the tests of open_backend(). -DFAKE_VERSION is the version
// it speaks.
#include "elements/inference/engine.hpp"

namespace {

class FakeBackend final : public tv::inference::Backend {
 public:
  std::string description() const override { return "fake"; }
  tv::Result<std::unique_ptr<tv::inference::LoadedModel>> load(
      const tv::inference::LoadRequest&) override {
    return tv::Error{tv::Code::kUnsupported, "a fake loads nothing", ""};
  }
};

}  // namespace

extern "C" tv::inference::Backend* tv_backend_open(int version) {
  static FakeBackend backend;
  return version == FAKE_VERSION ? &backend : nullptr;
}
