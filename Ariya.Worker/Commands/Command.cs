namespace Ariya.Worker.Commands;

/// <summary>The one-shot commands of the worker. Each answers 0 when it did what it says, 1 when not, 2 when it was called wrongly.</summary>
internal static class Command
{
    private static readonly (string Usage, string Words)[] s_commands =
    [
        ("migrate [--grant | --list | --to NAME | --reset]", "brings the schema up to date; and gives the programs' roles their rights; lists migrations; goes to one; makes the database anew (Development)"),
        ("check", "asks PostgreSQL, Redis and the mail relay, and says what to change"),
        ("send-test-mail ADDRESS", "sends one mail and prints the relay's answer"),
        ("cleanup", "removes what is past its retention, now"),
        ("cleanup-tokens", "removes expired tokens alone, and prints how many"),
        ("rotate-keys [--now]", "makes a new signing key before its time; --now when the old one may be known"),
        ("verify-audit", "checks that no audit event was changed"),
        ("grant-admin EMAIL", "makes a verified account an admin, after showing whose it is"),
        ("revoke-admin EMAIL", "takes the role of an admin"),
        ("after-restore", "to be run before traffic when the database was set back to an earlier moment"),
        ("release-held", "sends the mails that after-restore held back"),
    ];

    public static bool IsHelp(string name) => name is "--help" or "-h" or "help";

    public static bool IsKnown(string name) => s_commands.Any(command => command.Usage.Split(' ')[0] == name);

    /// <summary>Prints the commands: because that was asked for, or because there is no such command.</summary>
    public static int Help(string name)
    {
        var output = IsHelp(name) ? Console.Out : Console.Error;
        if (!IsHelp(name))
        {
            output.WriteLine($"Unknown command '{name}'.");
        }

        output.WriteLine("Without a command the worker sends mails and keeps the schedules. Commands; --yes answers their questions:");
        foreach (var (usage, words) in s_commands)
        {
            output.WriteLine($"  {usage,-40} {words}");
        }

        return IsHelp(name) ? OneShot.Done : OneShot.Misused;
    }

    public static Task<int> RunAsync(HostApplicationBuilder builder, string[] args)
    {
        var isConfirmed = args.Contains("--yes");
        return args.Where(argument => argument != "--yes").ToArray() switch
        {
            ["migrate", .. var rest] => Migrate.RunAsync(builder, rest, isConfirmed),
            ["check"] => Check.RunAsync(builder),
            ["send-test-mail", var address] => SendTestMail.RunAsync(builder, address),
            ["cleanup"] => CleanUp.RunAsync(builder, isTokensOnly: false),
            ["cleanup-tokens"] => CleanUp.RunAsync(builder, isTokensOnly: true),
            ["rotate-keys"] => RotateKeys.RunAsync(builder, isNow: false),
            ["rotate-keys", "--now"] => RotateKeys.RunAsync(builder, isNow: true),
            ["verify-audit"] => VerifyAudit.RunAsync(builder),
            ["grant-admin", var address] => GrantAdmin.RunAsync(builder, address, isConfirmed),
            ["revoke-admin", var address] => RevokeAdmin.RunAsync(builder, address, isConfirmed),
            ["after-restore"] => AfterRestore.RunAsync(builder, isConfirmed),
            ["release-held"] => ReleaseHeld.RunAsync(builder, isConfirmed),
            _ => MisusedAsync(args[0]),
        };
    }

    private static async Task<int> MisusedAsync(string name)
    {
        await Console.Error.WriteLineAsync($"usage: {s_commands.First(command => command.Usage.Split(' ')[0] == name).Usage}");
        return OneShot.Misused;
    }
}
