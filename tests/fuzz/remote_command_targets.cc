#include <fmt/format.h>

#include "absl/strings/str_split.h"
#include "branch/remote_command/command_log.h"
#include "branch/remote_command/stream/convert.h"
#include "common/check.h"
#include "common/crc32c.h"
#include "common/one_line.h"
#include "tests/fuzz/target.h"
#include "tests/support/sim_file_system.h"

namespace bank::fuzz {
namespace {

using namespace remote_command;

constexpr const char* kFile = "/commands/log";

// What an agent is asked to do. A command that passes the checks is one of the list: its text is
// what an operator would type for it, and it is sent on as it came.
void RunRequest(std::string_view bytes) {
  v1::CommandRequest request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  const Order order = OrderOf(request);
  const std::string text = Text(order.command);
  BANK_CHECK(OneLine(text, std::string::npos) == text && text.size() < 1'000) << text;
  for (const absl::Status& checked :
       {CheckId(order.id), CheckDeadline(order.deadline_ms), CheckAgentName(order.issuer)}) {
    if (!checked.ok()) CheckRefusal(checked);
  }
  v1::Command wire;
  ToWire(order.command, &wire);
  BANK_CHECK(FromWire(wire) == order.command) << wire.ShortDebugString();
  if (const absl::Status good = Check(order.command); !good.ok()) return CheckRefusal(good);
  const auto typed = Parse(absl::StrSplit(text, ' '));
  BANK_CHECK(typed.ok()) << text << ": " << typed.status();
  BANK_CHECK(Text(*typed) == text) << text;
  request.mutable_command()->DiscardUnknownFields();
  BANK_CHECK(wire.SerializeAsString() == request.command().SerializeAsString())
      << wire.ShortDebugString() << "\n"
      << request.command().ShortDebugString();
}

// A line that is taken says the same when it is written again.
void RunLine(std::string_view bytes) {
  // The first line's checksum is set right, or no mutation would get past it.
  for (const bool sealed : {false, true}) {
    std::string line(bytes.substr(0, bytes.find('\n')));
    if (sealed && line.size() > 9)
      line.replace(0, 8, fmt::format("{:08x}", Crc32c(line.substr(9))));
    const auto record = DecodeLine(line);
    if (!record) continue;
    const std::string again = EncodeLine(*record);
    BANK_CHECK(again.ends_with('\n') && again.find('\n') == again.size() - 1) << again;
    const auto back = DecodeLine(std::string_view(again).substr(0, again.size() - 1));
    BANK_CHECK(back && EncodeLine(*back) == again) << again;
  }
}

// Whatever is in the file, the branch starts, takes a new command, and knows it after the next
// start, and everything that it knew before.
void RunLog(std::string_view bytes) {
  sim::SimFileSystem files(1);
  BANK_CHECK(files.MakeDirectory("/commands").ok());
  BANK_CHECK((*files.Open(kFile, /*create=*/true))->WriteAt(0, bytes).ok());
  std::vector<std::string> notes;
  std::vector<telemetry::AuditRecord> known;
  telemetry::AuditRecord fresh;
  fresh.id = "fresh-id";
  fresh.agent = "branch-1";
  {
    CommandLog log(files, "/commands", {}, &notes);
    for (const std::string& note : notes) CheckRefusal(absl::DataLossError(note));
    const absl::Status begun = log.Begin(fresh);
    BANK_CHECK(begun.ok() || absl::IsAlreadyExists(begun)) << begun;
    known = log.Newest(SIZE_MAX);
  }
  files.PowerLoss();
  notes.clear();
  CommandLog log(files, "/commands", {}, &notes);
  BANK_CHECK(notes.empty()) << notes[0];
  const auto again = log.Newest(SIZE_MAX);
  BANK_CHECK(again.size() == known.size()) << again.size() << " of " << known.size();
  for (size_t i = 0; i < known.size(); ++i) {
    BANK_CHECK(EncodeLine(known[i]) == EncodeLine(again[i])) << EncodeLine(known[i]);
  }
}

std::vector<std::string> RequestSeeds() {
  std::vector<std::string> seeds;
  for (const Command& command : std::initializer_list<Command>{
           SetSamplingInterval{500}, SetCollector{"cpu", true}, TakeSnapshot{},
           TransferLeadership{BranchId(3)}, SetLogLevel{"debug"}, ListSessions{7}, TopAccounts{5},
           VerifyDigest{}, HostDiagnostic{"df"}}) {
    v1::CommandRequest request;
    request.set_id("id-1");
    request.set_issuer("alice");
    request.set_deadline_ms(1'000);
    ToWire(command, request.mutable_command());
    seeds.push_back(request.SerializeAsString());
  }
  return seeds;
}

std::vector<std::string> LineSeeds() {
  telemetry::AuditRecord record;
  record.id = "a";
  record.agent = "branch-1";
  record.issuer = "alice";
  record.command = "top-accounts 5";
  record.issued_unix_ns = 100;
  std::vector<std::string> seeds = {EncodeLine(record)};
  record.ended_unix_ns = 300;
  record.outcome = telemetry::CommandOutcome::kTimedOut;
  record.exit_status = 137;
  record.message = "\"quoted\" and \xc3\xa4";
  seeds.push_back(EncodeLine(record));
  return seeds;
}

std::vector<std::string> LogSeeds() {
  const std::vector<std::string> lines = LineSeeds();
  return {lines[0] + lines[1], lines[1] + "torn", lines[0] + "\n\n" + lines[0]};
}

constexpr FuzzTarget kTargets[] = {{"command_line", RunLine, LineSeeds},
                                   {"command_log", RunLog, LogSeeds},
                                   {"command_request", RunRequest, RequestSeeds}};

}  // namespace

std::span<const FuzzTarget> RemoteCommandTargets() { return kTargets; }

}  // namespace bank::fuzz
