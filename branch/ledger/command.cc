#include "branch/ledger/command.h"

#include "absl/strings/str_cat.h"
#include "branch/ledger/row.h"
#include "common/bytes.h"
#include "common/check.h"

namespace bank::ledger {
namespace {

constexpr size_t kRowBytesMin = 7;  // seven fields of at least one byte

// Zigzag: small amounts of either sign are short.
uint64_t Zigzag(int64_t v) {
  return (static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63);
}
int64_t Unzigzag(uint64_t v) { return static_cast<int64_t>((v >> 1) ^ (~(v & 1) + 1)); }

}  // namespace

void AppendCommand(const Command& command, std::string* batch) {
  BANK_CHECK(command.account.size() <= kEncodedNameBytesMax) << command.account.size();
  BANK_CHECK(command.to.size() <= kEncodedNameBytesMax) << command.to.size();
  ByteWriter writer(batch);
  writer.U8(static_cast<uint8_t>(command.kind));
  writer.Varint(command.session.value);
  writer.Varint(command.sequence);
  // As a distance, which is short for every customer that tells the truth.
  writer.Varint(command.sequence - command.answered_below);
  writer.Varint(Zigzag(command.amount));
  writer.String(command.account);
  writer.String(command.to);
}

bool TakeRow(std::string_view* rest, Row* row) {
  ByteReader reader(*rest);
  Command& command = row->command;
  command.kind = static_cast<Kind>(reader.U8());
  command.session = SessionId(reader.Varint());
  command.sequence = reader.Varint();
  command.answered_below = command.sequence - reader.Varint();
  const size_t content_begin = rest->size() - reader.rest().size();
  command.amount = Unzigzag(reader.Varint());
  command.account = reader.String();
  command.to = reader.String();
  if (!reader.ok() || command.account.size() > kEncodedNameBytesMax ||
      command.to.size() > kEncodedNameBytesMax) {
    return false;
  }
  row->bytes = rest->substr(0, rest->size() - reader.rest().size());
  row->content = row->bytes.substr(content_begin);
  *rest = reader.rest();
  return true;
}

bool CommandReader::Next(Command* command) {
  if (rest_.empty() || !status_.ok()) return false;
  Row row;
  if (!TakeRow(&rest_, &row)) {
    status_ = absl::InvalidArgumentError(
        absl::StrCat("malformed command, ", rest_.size(), " bytes before the end of the batch"));
    return false;
  }
  *command = row.command;
  return true;
}

absl::Status ValidateBatch(std::string_view batch, uint64_t count) {
  const size_t size = batch.size();
  Row row;
  uint64_t found = 0;
  for (; !batch.empty(); ++found) {
    if (!TakeRow(&batch, &row)) {
      return absl::InvalidArgumentError(absl::StrCat("malformed command ", found, " at byte ",
                                                     size - batch.size(), " of the batch"));
    }
  }
  if (found != count) {
    return absl::InvalidArgumentError(
        absl::StrCat("a batch of ", found, " commands, said to be ", count));
  }
  return absl::OkStatus();
}

std::string EncodeEntry(const EntryHeader& header, std::string_view batch) {
  std::string payload;
  payload.reserve(batch.size() + 1 + 8 + 10);
  ByteWriter writer(&payload);
  writer.U8(static_cast<uint8_t>(header.rules));
  writer.U64(static_cast<uint64_t>(header.time_ms));
  writer.Varint(header.count);
  writer.Raw(batch);
  return payload;
}

absl::Status DecodeEntry(std::string_view payload, EntryHeader* header, std::string_view* batch) {
  ByteReader reader(payload);
  header->rules = static_cast<Rules>(reader.U8());
  header->time_ms = static_cast<int64_t>(reader.U64());
  header->count = reader.Varint();
  if (!reader.ok()) return absl::InvalidArgumentError("entry header cut short");
  if (header->rules != Rules::kFirst && header->rules != Rules::kOwned) {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown entry version ", static_cast<int>(header->rules)));
  }
  *batch = reader.rest();
  if (header->count > batch->size() / kRowBytesMin) {
    return absl::InvalidArgumentError(
        absl::StrCat("entry claims ", header->count, " commands in ", batch->size(), " bytes"));
  }
  return absl::OkStatus();
}

}  // namespace bank::ledger
