#include "elements/tvclassify/classifier.hpp"

#include <exception>
#include <utility>

namespace tv {
namespace {

Error bug(const char* what) {
  return {Code::kInternal, std::string("internal error: ") + what, "please report it"};
}

}  // namespace

Classifier::Classifier(Loader loader, const Transforms& recipe, TransformsBackend backend,
                       Listener listener)
    : loader_(std::move(loader)),
      recipe_(recipe),
      backend_(backend),
      listener_(std::move(listener)),
      worker_([this] { work(); }) {}

Classifier::~Classifier() {
  close();
  worker_.join();
}

Classifier::Readiness Classifier::wait_ready() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return phase_ != Phase::kLoading || flushing_ || closed_; });
  if (flushing_ || closed_) return Readiness::kInterrupted;
  return phase_ == Phase::kReady ? Readiness::kReady : Readiness::kFailed;
}

Result<Scores> Classifier::classify(const FrameView& frame, int k) {
  std::unique_lock lock(mutex_);
  if (closed_ || phase_ != Phase::kReady) return Error{Code::kCancelled, "stopped", ""};
  job_ = Job{&frame, k};
  changed_.notify_all();
  // The worker answers every job, also when it is closed meanwhile: it may be reading the frame.
  changed_.wait(lock, [this] { return reply_.has_value(); });
  Result<Scores> reply = std::move(*reply_);
  reply_.reset();
  return reply;
}

void Classifier::set_flushing(bool flushing) {
  const std::lock_guard lock(mutex_);
  flushing_ = flushing;
  changed_.notify_all();
}

void Classifier::close() {
  cancel_ = true;
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

std::optional<Flow> Classifier::load() {
  FetchOptions options;
  options.progress = listener_.progress;
  options.cancel = &cancel_;
  Result<inference::ReadyModel> ready = Error{Code::kInternal, "not loaded", ""};
  try {
    ready = loader_(options);
    if (ready && !cancel_) {
      listener_.loaded(*ready);
      return Flow(std::move(ready->model), recipe_, backend_);
    }
  } catch (const std::exception& exception) {
    ready = bug(exception.what());
  } catch (...) {
    ready = bug("exception of unknown type");
  }
  if (cancel_)
    listener_.cancelled();
  else
    listener_.failed(ready.error());
  return std::nullopt;
}

Result<Scores> Classifier::run_guarded(Flow& flow, const Job& job) {
  try {
    return flow.classify(*job.frame, job.k);
  } catch (const std::exception& exception) {
    return bug(exception.what());
  } catch (...) {
    return bug("exception of unknown type");
  }
}

void Classifier::work() {
  std::optional<Flow> flow = load();
  std::unique_lock lock(mutex_);
  phase_ = flow ? Phase::kReady : Phase::kFailed;
  changed_.notify_all();
  while (flow) {
    changed_.wait(lock, [this] { return job_ || closed_; });
    if (!job_) return;
    const Job job = *job_;
    job_.reset();
    lock.unlock();
    Result<Scores> reply = run_guarded(*flow, job);
    lock.lock();
    reply_ = std::move(reply);
    changed_.notify_all();
  }
}

}  // namespace tv
