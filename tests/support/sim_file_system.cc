#include "tests/support/sim_file_system.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bank::sim {
namespace {

constexpr uint64_t RoundDown(uint64_t v) { return v / kSectorBytes * kSectorBytes; }
constexpr uint64_t RoundUp(uint64_t v) { return RoundDown(v + kSectorBytes - 1); }

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

absl::Status NoSuchFile(const std::string& path) {
  return absl::NotFoundError(absl::StrCat(path, ": no such file"));
}

}  // namespace

class SimFileSystem::OpenFile final : public storage::File {
 public:
  OpenFile(SimFileSystem& fs, NodePtr node) : fs_(fs), node_(std::move(node)), life_(fs.life_) {}

  absl::Status WriteAt(uint64_t offset, std::string_view bytes) override {
    std::lock_guard lock(fs_.mutex_);
    if (absl::Status alive = fs_.CheckAlive(life_); !alive.ok()) return alive;
    return fs_.Write(*node_, offset, bytes);
  }
  absl::Status Sync() override {
    std::lock_guard lock(fs_.mutex_);
    if (absl::Status alive = fs_.CheckAlive(life_); !alive.ok()) return alive;
    return fs_.Sync(*node_);
  }
  absl::Status Truncate(uint64_t size) override {
    std::lock_guard lock(fs_.mutex_);
    if (absl::Status alive = fs_.CheckAlive(life_); !alive.ok()) return alive;
    return fs_.Truncate(*node_, size);
  }
  absl::Status Allocate(uint64_t size) override {
    std::lock_guard lock(fs_.mutex_);
    if (absl::Status alive = fs_.CheckAlive(life_); !alive.ok()) return alive;
    return fs_.Allocate(*node_, size);
  }
  absl::StatusOr<uint64_t> Size() const override {
    std::lock_guard lock(fs_.mutex_);
    if (absl::Status alive = fs_.CheckAlive(life_); !alive.ok()) return alive;
    return node_->cached.size();
  }

 private:
  SimFileSystem& fs_;
  const NodePtr node_;
  const uint64_t life_;
};

class SimFileSystem::HeldLock final : public storage::FileLock {
 public:
  HeldLock(SimFileSystem& fs, std::string path, uint64_t number)
      : fs_(fs), path_(std::move(path)), number_(number) {}
  ~HeldLock() override {
    std::lock_guard lock(fs_.mutex_);
    auto held = fs_.locks_.find(path_);
    // After a crash the name may be locked by somebody else.
    if (held != fs_.locks_.end() && held->second == number_) fs_.locks_.erase(held);
  }

 private:
  SimFileSystem& fs_;
  const std::string path_;
  const uint64_t number_;
};

SimFileSystem::SimFileSystem(uint64_t seed, const Image& image) : random_(seed) {
  for (const auto& [path, bytes] : image) {
    auto node = std::make_shared<Node>();
    node->cached = bytes;
    node->durable = bytes;
    names_[path] = node;
    for (std::string d = DirectoryOf(path); !d.empty(); d = DirectoryOf(d)) directories_.insert(d);
  }
  durable_ = names_;
}

absl::Status SimFileSystem::CheckAlive(uint64_t life) const {
  if (life != life_) return absl::UnavailableError("the file was opened before a crash");
  return absl::OkStatus();
}

absl::Status SimFileSystem::BeginCall(DiskCall kind) {
  if (!powered_) return absl::UnavailableError("the power is off");
  const uint64_t call = calls_++;
  if (cut_at_call_ == call) {
    powered_ = false;
    return absl::UnavailableError("the power went off");
  }
  if (fail_at_call_ == call) {
    fail_at_call_.reset();
    return fail_error_;
  }
  if (auto planned = fail_next_.find(kind); planned != fail_next_.end()) {
    absl::Status error = planned->second;
    fail_next_.erase(planned);
    return error;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<storage::File>> SimFileSystem::Open(const std::string& path,
                                                                   bool create) {
  std::lock_guard lock(mutex_);
  const absl::Status begun = BeginCall(DiskCall::kOpen);
  if (!begun.ok() && (!create || Below(2) == 0)) return begun;
  auto found = names_.find(path);
  if (found == names_.end()) {
    if (!create) return NoSuchFile(path);
    if (!directories_.contains(DirectoryOf(path))) return NoSuchFile(DirectoryOf(path));
    ChangeName({"", path, std::make_shared<Node>()});
    found = names_.find(path);
  }
  if (!begun.ok()) return begun;
  return std::make_unique<OpenFile>(*this, found->second);
}

absl::StatusOr<std::string> SimFileSystem::ReadAll(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (absl::Status begun = BeginCall(DiskCall::kRead); !begun.ok()) return begun;
  const auto found = names_.find(path);
  if (found == names_.end()) return NoSuchFile(path);
  return found->second->cached;
}

absl::Status SimFileSystem::Rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  const absl::Status begun = BeginCall(DiskCall::kName);
  if (!begun.ok() && Below(2) == 0) return begun;
  const auto found = names_.find(from);
  if (found == names_.end()) return NoSuchFile(from);
  if (!directories_.contains(DirectoryOf(to))) return NoSuchFile(DirectoryOf(to));
  ChangeName({from, to, found->second});
  return begun;
}

absl::Status SimFileSystem::Remove(const std::string& path) {
  std::lock_guard lock(mutex_);
  const absl::Status begun = BeginCall(DiskCall::kName);
  if (!begun.ok() && Below(2) == 0) return begun;
  if (!names_.contains(path)) return NoSuchFile(path);
  ChangeName({path, "", nullptr});
  return begun;
}

absl::Status SimFileSystem::MakeDirectory(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (absl::Status begun = BeginCall(DiskCall::kName); !begun.ok()) return begun;
  for (std::string d = path; !d.empty(); d = DirectoryOf(d)) directories_.insert(d);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> SimFileSystem::List(const std::string& directory) {
  std::lock_guard lock(mutex_);
  if (absl::Status begun = BeginCall(DiskCall::kRead); !begun.ok()) return begun;
  if (!directories_.contains(directory)) return NoSuchFile(directory);
  std::set<std::string> found;
  for (const auto& [path, node] : names_) {
    if (DirectoryOf(path) == directory) found.insert(path.substr(directory.size() + 1));
  }
  for (const std::string& d : directories_) {
    if (DirectoryOf(d) == directory && d != directory) found.insert(d.substr(directory.size() + 1));
  }
  return std::vector<std::string>(found.begin(), found.end());
}

absl::Status SimFileSystem::SyncDirectory(const std::string& directory) {
  std::lock_guard lock(mutex_);
  const absl::Status begun = BeginCall(DiskCall::kSyncDirectory);
  if (begun.ok() && !directories_.contains(directory)) return NoSuchFile(directory);
  std::vector<NameChange> left;
  for (NameChange& change : changes_) {
    const bool here = (!change.removed.empty() && DirectoryOf(change.removed) == directory) ||
                      (!change.added.empty() && DirectoryOf(change.added) == directory);
    if (here && (begun.ok() || Below(2) == 0)) {
      Apply(durable_, change);
      // A name made before, in a directory that is not synced yet, is gone for good.
      for (NameChange& earlier : left) {
        if (earlier.added == change.removed) earlier.added.clear();
      }
    } else {
      left.push_back(std::move(change));
    }
  }
  changes_ = std::move(left);
  return begun;
}

absl::StatusOr<std::unique_ptr<storage::FileLock>> SimFileSystem::Lock(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (absl::Status begun = BeginCall(DiskCall::kOpen); !begun.ok()) return begun;
  if (locks_.contains(path)) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": locked by another process"));
  }
  if (!directories_.contains(DirectoryOf(path))) return NoSuchFile(DirectoryOf(path));
  if (!names_.contains(path)) ChangeName({"", path, std::make_shared<Node>()});
  locks_[path] = next_lock_;
  return std::make_unique<HeldLock>(*this, path, next_lock_++);
}

absl::Status SimFileSystem::Write(Node& node, uint64_t offset, std::string_view bytes) {
  absl::Status result = BeginCall(DiskCall::kWrite);
  uint64_t done = bytes.size();
  if (!result.ok()) {
    done = Below(bytes.size() + 1);
  } else if (capacity_) {
    const uint64_t end = offset + bytes.size();
    const uint64_t grows = end > node.cached.size() ? end - node.cached.size() : 0;
    const uint64_t used = UsedLocked();
    const uint64_t room = *capacity_ > used ? *capacity_ - used : 0;
    if (grows > room) {
      done -= std::min(done, grows - room);
      result = absl::ResourceExhaustedError("no space left on device");
    }
  }
  if (!result.ok()) done = std::max(offset, RoundDown(offset + done)) - offset;
  StoreCached(node, offset, bytes.substr(0, done));
  return result;
}

void SimFileSystem::StoreCached(Node& node, uint64_t offset, std::string_view bytes) {
  if (bytes.empty()) return;
  const uint64_t end = offset + bytes.size();
  if (node.cached.size() < end) node.cached.resize(end);
  node.cached.replace(offset, bytes.size(), bytes);
  const uint64_t begin = RoundDown(offset);
  const uint64_t stop = std::min<uint64_t>(RoundUp(end), node.cached.size());
  node.pending.push_back({begin, node.cached.substr(begin, stop - begin), std::nullopt});
}

absl::Status SimFileSystem::Sync(Node& node) {
  const absl::Status begun = BeginCall(DiskCall::kSync);
  Settle(node, begun.ok() ? 100 : 50);
  return begun;
}

absl::Status SimFileSystem::Truncate(Node& node, uint64_t size) {
  const absl::Status begun = BeginCall(DiskCall::kTruncate);
  if (!begun.ok() && Below(2) == 0) return begun;
  node.cached.resize(size);
  node.pending.push_back({0, "", size});
  return begun;
}

absl::Status SimFileSystem::Allocate(Node& node, uint64_t size) {
  absl::Status begun = BeginCall(DiskCall::kAllocate);
  if (!begun.ok() && Below(2) == 0) return begun;
  if (size <= node.cached.size()) return begun;
  if (capacity_ && UsedLocked() + size - node.cached.size() > *capacity_) {
    return absl::ResourceExhaustedError("no space left on device");
  }
  node.cached.resize(size);
  node.pending.push_back({0, "", size});
  return begun;
}

void SimFileSystem::Settle(Node& node, unsigned percent) {
  for (const Pending& write : node.pending) {
    if (write.truncated_to) {
      if (Below(100) < percent) node.durable.resize(*write.truncated_to);
      continue;
    }
    for (uint64_t at = 0; at < write.sectors.size(); at += kSectorBytes) {
      if (percent < 100 && Below(100) >= percent) continue;
      // A version of the sector: a later one in the list overwrites it if chance keeps that too.
      const std::string_view sector = std::string_view(write.sectors).substr(at, kSectorBytes);
      const uint64_t end = write.offset + at + sector.size();
      if (node.durable.size() < end) node.durable.resize(end);
      node.durable.replace(write.offset + at, sector.size(), sector);
    }
  }
  node.pending.clear();
}

void SimFileSystem::ChangeName(NameChange change) {
  Apply(names_, change);
  changes_.push_back(std::move(change));
}

void SimFileSystem::Apply(std::map<std::string, NodePtr>& names, const NameChange& change) {
  if (!change.removed.empty()) names.erase(change.removed);
  if (!change.added.empty()) names[change.added] = change.node;
}

void SimFileSystem::EndLife() {
  ++life_;
  locks_.clear();
  powered_ = true;
  cut_at_call_.reset();
  fail_at_call_.reset();
  fail_next_.clear();
}

void SimFileSystem::PowerLoss() {
  std::lock_guard lock(mutex_);
  // Often nothing or everything had been written back by itself; in between, any share.
  const auto chance = [this]() -> unsigned {
    const uint64_t kind = Below(4);
    return kind == 0 ? 0 : kind == 1 ? 100 : static_cast<unsigned>(Below(101));
  };
  const unsigned names_percent = chance();
  for (const NameChange& change : changes_) {
    if (Below(100) < names_percent) Apply(durable_, change);
  }
  changes_.clear();
  std::set<Node*> settled;
  for (const auto& [path, node] : durable_) {
    if (!settled.insert(node.get()).second) continue;
    Settle(*node, chance());
    node->cached = node->durable;
  }
  names_ = durable_;
  EndLife();
}

void SimFileSystem::KillProcess() {
  std::lock_guard lock(mutex_);
  EndLife();
}

void SimFileSystem::CutPowerAtCall(uint64_t n) {
  std::lock_guard lock(mutex_);
  cut_at_call_ = calls_ + n;
}

void SimFileSystem::FailCall(uint64_t n, absl::Status error) {
  std::lock_guard lock(mutex_);
  fail_at_call_ = calls_ + n;
  fail_error_ = std::move(error);
}

void SimFileSystem::FailNext(DiskCall kind, absl::Status error) {
  std::lock_guard lock(mutex_);
  fail_next_[kind] = std::move(error);
}

void SimFileSystem::SetCapacity(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

void SimFileSystem::Heal() {
  std::lock_guard lock(mutex_);
  cut_at_call_.reset();
  fail_at_call_.reset();
  fail_next_.clear();
  capacity_.reset();
}

void SimFileSystem::FlipByte(const std::string& path, uint64_t offset, uint8_t mask) {
  std::lock_guard lock(mutex_);
  Node& node = *names_.at(path);
  for (std::string* view : {&node.cached, &node.durable}) {
    if (offset < view->size()) {
      (*view)[offset] = static_cast<char>(static_cast<uint8_t>((*view)[offset]) ^ mask);
    }
  }
}

void SimFileSystem::ZeroSectors(const std::string& path, uint64_t offset, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  Node& node = *names_.at(path);
  for (std::string* view : {&node.cached, &node.durable}) {
    for (uint64_t at = RoundDown(offset); at < RoundUp(offset + bytes) && at < view->size(); ++at) {
      (*view)[at] = '\0';
    }
  }
}

void SimFileSystem::LoseFile(const std::string& path) {
  std::lock_guard lock(mutex_);
  Apply(names_, {path, "", nullptr});
  Apply(durable_, {path, "", nullptr});
  // Nor may a name that was not synced yet bring it back later.
  for (NameChange& change : changes_) {
    if (change.added == path) change.added.clear();
  }
}

uint64_t SimFileSystem::UsedLocked() const {
  uint64_t used = 0;
  for (const auto& [path, node] : names_) used += node->cached.size();
  return used;
}

uint64_t SimFileSystem::calls() const {
  std::lock_guard lock(mutex_);
  return calls_;
}

bool SimFileSystem::powered() const {
  std::lock_guard lock(mutex_);
  return powered_;
}

uint64_t SimFileSystem::used_bytes() const {
  std::lock_guard lock(mutex_);
  return UsedLocked();
}

uint64_t SimFileSystem::unsynced_bytes(const std::string& path) const {
  std::lock_guard lock(mutex_);
  uint64_t bytes = 0;
  for (const Pending& write : names_.at(path)->pending) bytes += write.sectors.size();
  return bytes;
}

std::vector<std::string> SimFileSystem::Files() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> paths;
  for (const auto& [path, node] : names_) paths.push_back(path);
  return paths;
}

SimFileSystem::Image SimFileSystem::Cached() const {
  std::lock_guard lock(mutex_);
  Image image;
  for (const auto& [path, node] : names_) image[path] = node->cached;
  return image;
}

std::string SimFileSystem::Content(const std::string& path) const {
  std::lock_guard lock(mutex_);
  return names_.at(path)->cached;
}

}  // namespace bank::sim
