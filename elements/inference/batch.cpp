#include "elements/inference/batch.hpp"

#include <algorithm>
#include <cstddef>

namespace tv::inference {

Status ModelRunner::run_together(std::span<Job* const> jobs) {
  const auto count = static_cast<std::int64_t>(jobs.size());
  const Shape shape = {count, 3, side_, side_};
  if (jobs.size() == 1) {  // no copy
    TV_ASSIGN_OR_RETURN(jobs.front()->logits, model_->run(jobs.front()->input, shape));
    return {};
  }
  inputs_.clear();
  for (const Job* job : jobs) inputs_.insert(inputs_.end(), job->input.begin(), job->input.end());
  TV_ASSIGN_OR_RETURN(const std::vector<float> logits, model_->run(inputs_, shape));
  const auto classes = static_cast<std::ptrdiff_t>(logits.size() / jobs.size());
  auto row = logits.begin();
  for (Job* job : jobs) {
    job->logits.assign(row, row + classes);
    row += classes;
  }
  return {};
}

void ModelRunner::run(std::span<Job* const> jobs) {
  Status done = run_together(jobs);
  if (done) return;
  if (jobs.size() == 1) {
    jobs.front()->error = std::move(done.error());
    return;
  }
  if (done.error().code == Code::kCancelled) {  // the process is exiting: each would be refused
    for (Job* job : jobs) job->error = done.error();
    return;
  }
  const std::size_t part = done.error().code == Code::kDevice ? (jobs.size() + 1) / 2 : 1;
  for (; !jobs.empty(); jobs = jobs.subspan(std::min(part, jobs.size())))
    run(jobs.first(std::min(part, jobs.size())));
}

}  // namespace tv::inference
