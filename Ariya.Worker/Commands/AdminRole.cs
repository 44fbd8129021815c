using Ariya.Data;
using Ariya.Data.Accounts;

namespace Ariya.Worker.Commands;

/// <summary>What <c>grant-admin</c> and <c>revoke-admin</c> have in common: whom they mean, and who runs them.</summary>
internal static class AdminRole
{
    /// <summary>As the audit names the operator.</summary>
    public static string Operator => $"cli:{Environment.UserName}@{Environment.MachineName}";

    /// <summary>Finds the account and prints what tells it from another with a similar address; null, with words, when there is none.</summary>
    public static async Task<AdminCandidate?> FindAsync(AriyaDatabase db, string address, string command, CancellationToken cancellationToken)
    {
        var found = EmailAddress.TryParse(address, out var email)
            ? await db.QueryFirstAsync(
                $"""
                 select a.id, a.email, a.first_name, a.last_name, a.status, a.created_at, a.verified_at, {Account.AdminRole} = any(a.roles) as is_admin,
                        (select max(s.created_at) from sessions s where s.account_id = a.id) as last_sign_in_at
                 from accounts a where a.email_canonical = {email.Canonical}
                 """,
                row => new AdminCandidate(
                    row.Get<Guid>("id"), row.Get<string>("email"), $"{row.Get<string>("first_name")} {row.Get<string>("last_name")}", row.Get<string>("status"),
                    row.Get<DateTimeOffset>("created_at"), row.Get<DateTimeOffset>("verified_at"), row.GetNullable<DateTimeOffset?>("last_sign_in_at"),
                    row.Get<bool>("is_admin")),
                cancellationToken)
            : null;
        if (found is null)
        {
            await Console.Error.WriteLineAsync($"{command} failed: no account has this address. It has to register and prove its mailbox first.");
            return null;
        }

        Console.WriteLine($"id             {found.Id}");
        Console.WriteLine($"address        {found.Email}");
        Console.WriteLine($"name           {found.Name}");
        Console.WriteLine($"status         {found.Status}{(found.IsAdmin ? ", admin" : "")}");
        Console.WriteLine($"created        {found.CreatedAt:u}");
        Console.WriteLine($"verified       {found.VerifiedAt:u}");
        Console.WriteLine($"last sign-in   {(found.LastSignInAt is { } at ? $"{at:u}" : "none that is kept")}");
        return found;
    }
}

/// <summary>The account that a command means.</summary>
internal sealed record AdminCandidate(
    Guid Id, string Email, string Name, string Status, DateTimeOffset CreatedAt, DateTimeOffset VerifiedAt, DateTimeOffset? LastSignInAt, bool IsAdmin);
