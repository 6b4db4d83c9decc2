// Objects that a tracker follows from frame to frame are not classified in each: which region is
// due, and what is known of the others. Plain data; whoever shares it between threads locks it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <unordered_map>

#include "elements/tvclassify/result.hpp"

namespace tv {

/// For each frame, in order: enter() and due() where it comes in; note() or reused() where it
/// leaves, by which time other frames may have come in. Costs a frame nothing that grows with the
/// number of objects held.
class Reclassify {
 public:
  /// An object that was in none of as many frames is forgotten.
  static constexpr std::uint64_t kForgetFrames = 300;
  /// Objects held at most; one more forgets the one that was seen longest ago.
  static constexpr std::size_t kMostObjects = 1024;

  /// The next frame comes in. Returns its number, which note() and reused() take.
  std::uint64_t enter();

  /// An object of the frame that came in last is still there; nothing is asked for it.
  void see(std::uint64_t object);

  /// Whether an object of the frame that came in last is to be classified: one that was not seen
  /// before, and the n-th frame after the last attempt (n = interval; 0 and 1: each frame).
  bool due(std::uint64_t object, unsigned interval);

  /// What became of a region that was due. `kOk`: others of the object reuse it. `kFailed` counts
  /// as an attempt, and the earlier result stays. With `kSkipped` and `kGap` there was no attempt:
  /// the object's next region is due. An object that was forgotten meanwhile stays so.
  void note(std::uint64_t frame, std::uint64_t object, const FrameResult& result);

  /// The result of a region that was not due: `kSkipped` with the reason "reclassify-interval", the
  /// object's last labels and the frames since then; without labels where there are none yet.
  FrameResult reused(std::uint64_t frame, std::uint64_t object) const;

  std::size_t size() const { return objects_.size(); }
  /// A new stream, a flush, another network: results of the frames until now are not used any
  /// more, nor taken when they come later.
  void forget();

 private:
  struct Object {
    std::uint64_t id = 0;
    std::uint64_t seen = 0;      // frame
    std::uint64_t attempt = 0;   // frame; 0: none that counts
    std::uint64_t answered = 0;  // frame whose labels these are; 0: none
    std::vector<Label> labels;
  };
  using Order = std::list<Object>;

  Object& met(std::uint64_t object);

  std::uint64_t frame_ = 0;      // the one that came in last; the first is 1
  std::uint64_t forgotten_ = 0;  // this frame and all before it
  Order order_;                  // the one seen last is in front
  std::unordered_map<std::uint64_t, Order::iterator> objects_;
};

}  // namespace tv
