#include "elements/inference/shared_model.hpp"

#include <unistd.h>

#include <exception>
#include <map>
#include <system_error>
#include <utility>

#include "elements/inference/no_thread.hpp"

namespace tv::inference {
namespace {

/// All models of the process that have a key and an owner. Never destroyed: streams may outlive
/// main().
struct Table {
  std::mutex mutex;
  std::map<std::string, std::weak_ptr<SharedModel>> models;
};
Table& table() {
  static Table* const instance = new Table;
  return *instance;
}

Error bug(const char* what) {
  return {Code::kInternal, std::string("internal error: ") + what, "please report it"};
}

Result<Runnable> caught(const SharedModel::Load& load, const SharedModel::Progress& progress) {
  try {
    return load(progress);
  } catch (const std::exception& exception) {
    return bug(exception.what());
  } catch (...) {
    return bug("exception of unknown type");
  }
}

}  // namespace

Result<std::shared_ptr<SharedModel>> SharedModel::acquire(const std::string& key, Load load) {
  const auto make = [&]() -> Result<std::shared_ptr<SharedModel>> {
    try {
      return std::shared_ptr<SharedModel>(new SharedModel(key, std::move(load)));
    } catch (const std::system_error& error) {
      return no_thread("for the model", error);
    }
  };
  if (key.empty()) return make();
  std::shared_ptr<SharedModel> known;  // if it is the last owner: it ends with no lock held
  const std::lock_guard lock(table().mutex);
  std::weak_ptr<SharedModel>& entry = table().models[key];
  known = entry.lock();
  if (known && known->process_ == getpid() && known->phase() != Phase::kFailed) return known;
  auto made = make();
  if (made)
    entry = *made;
  else if (entry.expired())
    table().models.erase(key);
  return made;
}

SharedModel::SharedModel(std::string key, Load load)
    : key_(std::move(key)),
      process_(getpid()),
      thread_([this, load = std::move(load)] { serve(load); }) {}

SharedModel::~SharedModel() {
  cancelled_ = true;
  batcher_.stop();
  if (process_ == getpid())
    thread_.join();
  else
    thread_.detach();  // it never was in this process
  if (key_.empty()) return;
  const std::lock_guard lock(table().mutex);
  const auto entry = table().models.find(key_);
  if (entry != table().models.end() && entry->second.expired()) table().models.erase(entry);
}

void SharedModel::serve(const Load& load) {
  const Progress progress{cancelled_, [this](std::uint64_t done, std::uint64_t total) {
                            {
                              const std::lock_guard lock(mutex_);
                              done_ = done;
                              total_ = total;
                            }
                            tell();
                          }};
  Result<Runnable> loaded = caught(load, progress);
  {
    const std::lock_guard lock(mutex_);
    if (loaded) {
      loaded_ = std::move(*loaded);
      pool_ = std::make_unique<JobPool>(loaded_.input_size);
      phase_ = Phase::kReady;
    } else {
      error_ = std::move(loaded.error());
      phase_ = Phase::kFailed;
    }
  }
  tell();
  if (phase() != Phase::kReady) return;
  batcher_.serve(*loaded_.runner);
  loaded_.runner.reset();  // on the thread that used it
}

void SharedModel::tell() {
  std::vector<std::shared_ptr<Watcher>> living;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(watchers_, [](const auto& watcher) { return watcher.expired(); });
    for (const auto& watcher : watchers_)
      if (std::shared_ptr<Watcher> alive = watcher.lock()) living.push_back(std::move(alive));
  }
  for (const auto& watcher : living) watcher->model_changed();
}

SharedModel::Phase SharedModel::phase() const {
  const std::lock_guard lock(mutex_);
  return phase_;
}

Error SharedModel::error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

std::pair<std::uint64_t, std::uint64_t> SharedModel::progress() const {
  const std::lock_guard lock(mutex_);
  return {done_, total_};
}

void SharedModel::watch(std::weak_ptr<Watcher> watcher) {
  const std::lock_guard lock(mutex_);
  std::erase_if(watchers_, [](const auto& each) { return each.expired(); });
  watchers_.push_back(std::move(watcher));
}

void SharedModel::submit(Batcher::StreamId stream, std::span<JobRef> jobs) {
  if (process_ == getpid()) return batcher_.submit(stream, jobs);
  for (JobRef& job : jobs) {
    job->error = Error{Code::kUnavailable, "this process was forked while the model was running",
                       "start the pipeline in the process that classifies"};
    job->finish();
    job.reset();
  }
}

}  // namespace tv::inference
