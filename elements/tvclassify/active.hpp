// The model that a stream uses now, with all that follows from its choice.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "elements/inference/shared_model.hpp"
#include "elements/tvclassify/choice.hpp"
#include "elements/tvclassify/metadata.hpp"

namespace tv {

/// One stream's seat at a shared model. Frames hold the one that judged them, so a model stays
/// until the last of its frames has left. Immutable; any thread.
class Active {
 public:
  Active(Choice choice, std::shared_ptr<inference::SharedModel> model, const std::string& element,
         const inference::BatchTerms& terms)
      : choice_(std::move(choice)),
        model_(std::move(model)),
        stream_(model_->batcher().add_stream(terms)),
        identity_{element, choice_.name(), model_->sha256()} {
    if (!choice_.weights()) return;
    for (const std::string_view category : choice_.weights()->categories)
      categories_.push_back(g_intern_string(std::string(category).c_str()));
  }
  ~Active() { model_->batcher().remove_stream(stream_); }
  Active(const Active&) = delete;
  Active& operator=(const Active&) = delete;

  const Choice& choice() const { return choice_; }
  const ModelIdentity& identity() const { return identity_; }
  inference::SharedModel& model() const { return *model_; }
  /// What Label::text says of a class.
  std::string_view category(int index) const {
    const auto i = static_cast<std::size_t>(index);
    return i < categories_.size() ? categories_[i] : g_intern_string(std::to_string(index).c_str());
  }
  /// Of one frame, together. Leaves empty references.
  void submit(std::span<inference::JobRef> jobs) const { model_->submit(stream_, jobs); }
  /// Forgets what has not begun; nothing comes until the next submit().
  void cancel() const { model_->batcher().cancel(stream_); }
  /// Whether nothing comes for now: batches do not wait for it.
  void set_quiet(bool quiet) const { model_->batcher().set_quiet(stream_, quiet); }
  /// What has not begun waits for no company.
  void hurry() const { model_->batcher().hurry(stream_); }

 private:
  const Choice choice_;
  const std::shared_ptr<inference::SharedModel> model_;
  const inference::Batcher::StreamId stream_;
  const ModelIdentity identity_;
  std::vector<const char*> categories_;  // interned
};

}  // namespace tv
