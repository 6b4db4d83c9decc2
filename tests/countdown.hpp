// A cancel that comes at a moment which the test chooses.
#pragma once

#include "model_registry/cancel.hpp"

namespace tv::test {

/// Its check says yes from the `after`-th question on, counted from 0, and counts the questions.
/// Must outlive the check.
class Countdown {
 public:
  static constexpr int kNever = -1;
  explicit Countdown(int after = kNever) : after_(after) {}
  CancelCheck check() {
    return [this] { return asked_++ >= after_ && after_ != kNever; };
  }
  int asked() const { return asked_; }

 private:
  const int after_;
  int asked_ = 0;
};

}  // namespace tv::test
