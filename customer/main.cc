// customer: the bank's customers. See --help.
#include <array>

#include "common/exit_code.h"
#include "common/flags.h"
#include "common/program.h"
#include "customer/commands/commands.h"

namespace {

int Main(int argc, char** argv) {
  bank::FlagSet program{"Customers of the bank: replay an input, do one operation, or make load.",
                        "customer"};
  program.RequireCommand();
  program.SetFooter(
      "examples:\n"
      "  customer check input/three_branches.json\n"
      "  customer replay input/three_branches.json --output answers.json --history history.jsonl\n"
      "  customer replay input/three_branches.json --order converged "
      "--at 1=localhost:50051,2=localhost:50052,3=localhost:50053\n"
      "  customer call withdraw 70 --at localhost:50051\n"
      "  customer load --at localhost:50051,localhost:50052 --concurrency 64 --seconds 5\n"
      "Flags > environment (--at is BANK_AT) > config file; but amounts, accounts, keys and "
      "outputs "
      "are\n"
      "given on the command line alone. Numbers are decimal, without leading zeros.\n"
      "Exit codes: 0 ok, 1 usage, 2 bad input, 3 unavailable, 4 outcome unknown, 5 denied, 8 "
      "refused "
      "by\n"
      "the bank (insufficient funds, say; of call, and of what no answer of the exercise is).");
  const std::array<std::unique_ptr<bank::customer::Command>, 4> commands = {
      bank::customer::MakeCheck(program), bank::customer::MakeReplay(program),
      bank::customer::MakeCall(program), bank::customer::MakeLoad(program)};
  if (auto exit_code = program.Parse(argc, argv)) return *exit_code;
  for (const auto& command : commands) {
    if (command->called()) return command->Run();
  }
  return bank::kExitUsage;
}

}  // namespace

int main(int argc, char** argv) {
  return bank::RunProgram("customer", [&] { return Main(argc, argv); });
}
