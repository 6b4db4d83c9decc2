// Which bytes of a frame in the computer's memory the GPU needs. No CUDA.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "elements/preprocess/frame_view.hpp"
#include "model_registry/transforms/plan.hpp"

namespace tv::inference {

/// The part of a frame that a plan reads, as rows of bytes: a 1080p picture that is cropped to a
/// square needs less than half of what it has.
struct Upload {
  struct Rows {
    const std::uint8_t* from = nullptr;  ///< the lowest address
    std::size_t from_pitch = 0;          ///< bytes
    std::size_t bytes = 0;               ///< of a row
    std::size_t rows = 0;
    std::size_t to = 0, to_pitch = 0;  ///< bytes from the staging memory's beginning
  };
  std::array<Rows, 3> planes{};
  int count = 0;          ///< planes
  std::size_t bytes = 0;  ///< of staging memory, a multiple of 256

  /// The frame as it lies when all rows have been copied to `staging`: its planes point where pixel
  /// (0, 0) would be, which may be outside of that memory. What the plan reads is inside.
  FrameView view_in(const std::uint8_t* staging) const;

 private:
  friend Upload plan_upload(const FrameView& frame, const Plan& plan);
  FrameView view_;  // the frame
  struct Origin {
    std::size_t column = 0, row = 0;  // of the copied part: bytes, rows
    bool bottom_up = false;
  };
  std::array<Origin, 3> origins_{};
};

/// `frame` has the plan's size.
Upload plan_upload(const FrameView& frame, const Plan& plan);

}  // namespace tv::inference
