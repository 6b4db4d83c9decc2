#include "elements/inference/batch.hpp"

#include <algorithm>
#include <cstddef>

namespace tv::inference {
namespace {

/// Jobs that cannot run together are tried apart: in halves where memory lacks, else one by one.
template <typename Attempt>
void run_in_parts(std::span<Job* const> jobs, const Attempt& attempt) {
  Status done = attempt(jobs);
  if (done) return;
  if (jobs.size() == 1) {
    jobs.front()->error = std::move(done.error());
    return;
  }
  // The process is exiting, or the device is lost: each would be refused.
  if (done.error().code == Code::kCancelled || done.error().code == Code::kDeviceLost) {
    for (Job* job : jobs) job->error = done.error();
    return;
  }
  const std::size_t part = done.error().code == Code::kDevice ? (jobs.size() + 1) / 2 : 1;
  for (; !jobs.empty(); jobs = jobs.subspan(std::min(part, jobs.size())))
    run_in_parts(jobs.first(std::min(part, jobs.size())), attempt);
}

}  // namespace

Status ModelRunner::run_together(std::span<Job* const> jobs) {
  shape_.front() = static_cast<std::int64_t>(jobs.size());
  if (jobs.size() == 1) {  // no copy
    TV_ASSIGN_OR_RETURN(jobs.front()->logits, model_->run(jobs.front()->input, shape_));
    return {};
  }
  inputs_.clear();
  for (const Job* job : jobs) inputs_.insert(inputs_.end(), job->input.begin(), job->input.end());
  TV_ASSIGN_OR_RETURN(const std::vector<float> logits, model_->run(inputs_, shape_));
  const auto classes = static_cast<std::ptrdiff_t>(logits.size() / jobs.size());
  auto row = logits.begin();
  for (Job* job : jobs) {
    job->logits.assign(row, row + classes);
    row += classes;
  }
  return {};
}

void ModelRunner::run(std::span<Job* const> jobs) {
  run_in_parts(jobs, [this](std::span<Job* const> part) { return run_together(part); });
}

FrameRunner::FrameRunner(std::unique_ptr<LoadedModel> model)
    : model_(std::move(model)), frames_(*model_->frames()), slots_(frames_.slots()) {}

Status FrameRunner::start(unsigned slot, std::span<Job* const> jobs) {
  Slot& mine = slots_[slot];
  mine.jobs.assign(jobs.begin(), jobs.end());
  mine.pictures.clear();
  unsigned top_k = 0;
  bool all = false;
  for (const Job* job : jobs) {
    mine.pictures.push_back(&*job->picture);
    top_k = std::max(top_k, job->top_k);
    all = all || job->top_k == 0;
  }
  return frames_.begin(slot, mine.pictures, all ? 0 : top_k);
}

Status FrameRunner::finish(unsigned slot, bool give_back) {
  Slot& mine = slots_[slot];
  const Status read = frames_.wait_read(slot);
  if (read && give_back)
    for (Job* job : mine.jobs) job->picture.reset();
  auto answers = frames_.end(slot);  // in any case: the slot is to be idle
  if (!answers) return answers.error();
  TV_RETURN_IF_ERROR(read);
  for (std::size_t i = 0; i < mine.jobs.size() && i < answers->size(); ++i) {
    Job& job = *mine.jobs[i];
    FrameModel::Answer& answer = (*answers)[i];
    job.logits = std::move(answer.logits);
    job.top = std::move(answer.top);
    if (!job.answered()) job.error = not_finite();
  }
  return {};
}

void FrameRunner::run(std::span<Job* const> jobs) {
  run_in_parts(jobs, [this](std::span<Job* const> part) -> Status {
    TV_RETURN_IF_ERROR(start(0, part));
    return finish(0, false);  // parts of it may be tried again
  });
  for (Job* job : jobs) job->picture.reset();
}

bool FrameRunner::begin(unsigned slot, std::span<Job* const> jobs) {
  return static_cast<bool>(start(slot, jobs));
}

void FrameRunner::end(unsigned slot) {
  const Status done = finish(slot, true);
  if (done) return;
  for (Job* job : slots_[slot].jobs) {
    job->picture.reset();
    if (!job->answered()) job->error = done.error();
  }
}

}  // namespace tv::inference
