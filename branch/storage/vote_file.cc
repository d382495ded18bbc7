#include "branch/storage/vote_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "branch/storage/damage.h"
#include "common/bytes.h"
#include "common/planted.h"

namespace bank::storage {
namespace {

std::string Encode(const Promises& promises) {
  std::string bytes;
  ByteWriter out(&bytes);
  out.U64(promises.hard_state.term.value);
  out.U64(promises.hard_state.vote.value);
  out.U64(promises.vote_floor.value);
  out.U8(static_cast<uint8_t>(promises.phase));
  return bytes;
}

}  // namespace

VoteFile::VoteFile(FileSystem& fs, const std::string& path, const Identity& identity)
    : path_(path), file_(fs, path, identity, "BANKVOT1") {}

absl::Status VoteFile::Create(const Promises& promises) {
  std::lock_guard lock(mutex_);
  promises_ = promises;
  return file_.Create(Encode(promises));
}

absl::StatusOr<Promises> VoteFile::Load(std::vector<std::string>* notes) {
  std::lock_guard lock(mutex_);
  const absl::StatusOr<std::string> record = file_.Load(notes);
  if (!record.ok()) return record.status();
  ByteReader in(*record);
  promises_.hard_state.term = Term(in.U64());
  promises_.hard_state.vote = BranchId(in.U64());
  promises_.vote_floor = Term(in.U64());
  promises_.phase = static_cast<RebuildPhase>(in.U8());
  if (!in.done() || promises_.phase > RebuildPhase::kLost)
    return Damage(path_, 0, "the record is not of this format");
  return promises_;
}

absl::Status VoteFile::StoreLocked(const Promises& promises) {
  if (!failure_.ok()) return failure_;
  failure_ = file_.Write(Encode(promises));
  if (!failure_.ok()) return failure_;
  promises_ = promises;
  return absl::OkStatus();
}

absl::Status VoteFile::SetHardState(const HardState& state) {
  std::lock_guard lock(mutex_);
  const HardState& now = promises_.hard_state;
  if (state.term < now.term ||
      (state.term == now.term && now.vote.value != 0 && state.vote != now.vote)) {
    return absl::InternalError(
        fmt::format("refused to go back on a promise: term {} vote {} to term {} vote {}",
                    now.term.value, now.vote.value, state.term.value, state.vote.value));
  }
  Promises promises = promises_;
  promises.hard_state = state;
  if (IsPlanted(Planted::kVoteNotSaved)) promises.hard_state.vote = BranchId(0);
  return StoreLocked(promises);
}

absl::Status VoteFile::SetPhase(RebuildPhase phase) {
  std::lock_guard lock(mutex_);
  Promises promises = promises_;
  promises.phase = phase;
  return StoreLocked(promises);
}

absl::Status VoteFile::FinishRebuild(Term vote_floor) {
  std::lock_guard lock(mutex_);
  Promises promises = promises_;
  promises.phase = RebuildPhase::kNone;
  promises.vote_floor = std::max(promises.vote_floor, vote_floor);
  return StoreLocked(promises);
}

absl::Status VoteFile::Refresh() {
  std::lock_guard lock(mutex_);
  return StoreLocked(promises_);
}

}  // namespace bank::storage
