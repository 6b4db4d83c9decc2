// A frame, or a part of one, on its way to a model that preprocesses by itself. No GLib, no
// LibTorch, no CUDA.
#pragma once

#include <memory>

#include "elements/preprocess/frame_view.hpp"

namespace tv {
struct Plan;
}

namespace tv::inference {

struct Picture {
  /// Its size is the plan's.
  FrameView view;
  /// The planes lie in the memory of the model's GPU, else in the computer's.
  bool on_device = false;
  /// A CUevent recorded behind what writes the pixels; nullptr: they are written. Owned by
  /// `pixels`.
  void* written = nullptr;
  /// The same object for all frames of a recipe and size: its tables are uploaded once.
  std::shared_ptr<const Plan> plan;
  /// Keeps the pixels as long as it is there. Let go of as soon as they have been read, which is
  /// before the network has run, on a thread of the model's.
  std::shared_ptr<const void> pixels;
};

}  // namespace tv::inference
