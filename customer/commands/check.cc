// customer check INPUT: says whether an input of the exercise is acceptable, and what is in it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "common/exit_code.h"
#include "common/output_file.h"
#include "customer/commands/commands.h"
#include "customer/replay/files.h"
#include "customer/script/script.h"

namespace bank::customer {
namespace {

class Check final : public Command {
 public:
  explicit Check(FlagSet& program)
      : Command(program, "check", "say whether an input is acceptable, without a bank") {
    flags_.Add("INPUT", input_, "an input of the exercise").Required();
    output_given_ =
        flags_.Add("--output", output_, "and whether answers could be written there; nothing is")
            .OfOneCall();
    AddFormatFlag(flags_, json_);
  }

  int Run() override {
    auto text = replay::ReadInput(input_);
    if (!text.ok()) return Complain(kExitBadInput, std::string(text.status().message()));
    auto script = script::ParseScript(input_, *text);
    if (!script.ok()) return Complain(kExitBadInput, std::string(script.status().message()));
    if (output_given_.given()) {
      const absl::Status place = CheckOutput(output_, {input_});
      if (!place.ok()) {
        return Complain(kExitUsage, fmt::format("--output: {}", std::string(place.message())));
      }
    }
    std::vector<uint64_t> branches;
    for (BranchId branch : script->branches) branches.push_back(branch.value);
    size_t operations = 0;
    for (const script::Entry& entry : script->entries) operations += entry.operations.size();
    if (json_) {
      const nlohmann::ordered_json shape = {{"branches", branches},
                                            {"balance", script->balance},
                                            {"entries", script->entries.size()},
                                            {"operations", operations}};
      std::cout << shape.dump() << "\n";
    } else {
      fmt::print("branches {}\nbalance {}\ncustomer entries {}\noperations {}\n",
                 fmt::join(branches, " "), script->balance, script->entries.size(), operations);
    }
    return kExitOk;
  }

 private:
  std::string input_;
  std::string output_;
  Flag output_given_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeCheck(FlagSet& program) { return std::make_unique<Check>(program); }

}  // namespace bank::customer
