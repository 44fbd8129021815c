using System.Net;
using Ariya.Api.Http;
using Ariya.Api.Problems;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Accounts;
using Microsoft.AspNetCore.Authentication;

namespace Ariya.Api.Admin;

/// <summary>From where operators may call; from everywhere when there are none.</summary>
internal sealed record AdminNetworks(List<IPNetwork> Known);

/// <summary>The mark of a route for operators.</summary>
internal sealed record AdminsOnly;

/// <summary>
/// Who may use the routes of operators. Role, status and epoch are read from PostgreSQL for every request: what a cache holds decides nothing here,
/// and a role that was taken away is gone with the commit. Judged before a body is read, so that whoever is refused gets one answer for all of them.
/// </summary>
internal static class AdminAccess
{
    // A session may live for a month; what it may do here ends with the working day it began on.
    private static readonly TimeSpan s_signInLifetime = TimeSpan.FromHours(12);

    /// <summary><c>Admin:Networks</c> (CIDR, comma separated): from where operators may call; without it, from everywhere.</summary>
    public static void AddAdminAccess(this IHostApplicationBuilder builder) =>
        builder.Services.AddSingleton(new AdminNetworks(builder.ReadNetworks("Admin:Networks")));

    public static TBuilder AdminsOnly<TBuilder>(this TBuilder builder) where TBuilder : IEndpointConventionBuilder =>
        builder.WithMetadata(new AdminsOnly());

    /// <summary>Elsewhere than in the networks of operators their routes are as paths that are not there. Comes before the limits, which would tell.</summary>
    public static void UseAdminNetworks(this WebApplication app)
    {
        var networks = app.Services.GetRequiredService<AdminNetworks>().Known;
        if (networks.Count == 0)
        {
            return;
        }

        app.Use((context, next) =>
        {
            if (IsUnderAdmin(context) && !IsWithin(networks, context.Connection.RemoteIpAddress))
            {
                context.SetEndpoint(null);
                context.Response.StatusCode = StatusCodes.Status404NotFound;
                return Task.CompletedTask;
            }

            return next(context);
        });
    }

    /// <summary>Comes after authorization: the caller is known.</summary>
    public static void UseAdminAccess(this IApplicationBuilder app)
    {
        app.Use(async (context, next) =>
        {
            if (!IsForAdmins(context))
            {
                await next(context);
                return;
            }

            var found = await context.InTimeAsync(FindAsync(context));
            if (found is null)
            {
                await context.ChallengeAsync();
            }
            else if (!found.IsAdmin)
            {
                await (await Admission.RefuseAsync(context, Problem.Forbidden())).ExecuteAsync(context);
            }
            else if (!found.IsFresh)
            {
                await (await Admission.RefuseAsync(context, Problem.SignInTooOld())).ExecuteAsync(context);
            }
            else
            {
                await next(context);
            }
        });
    }

    private static bool IsForAdmins(HttpContext context) => context.GetEndpoint()?.Metadata.GetMetadata<AdminsOnly>() is not null;

    // A wrong method and a preflight have no endpoint of ours.
    private static bool IsUnderAdmin(HttpContext context) =>
        IsForAdmins(context) || context.Request.Path.StartsWithSegments("/api/v1/admin", StringComparison.OrdinalIgnoreCase);

    private static bool IsWithin(IReadOnlyList<IPNetwork> networks, IPAddress? address)
    {
        var plain = address is { IsIPv4MappedToIPv6: true } ? address.MapToIPv4() : address;
        return plain is not null && networks.Any(network => network.Contains(plain));
    }

    // Nothing: the session is over, or the account has moved on since.
    private static async Task<Found?> FindAsync(HttpContext context)
    {
        var caller = context.Features.Get<Caller>()!;
        return await context.RequestServices.GetRequiredService<AriyaDatabase>().QueryFirstAsync(
            $"""
             select {Account.AdminRole} = any(a.roles) as is_admin, s.created_at > clock_timestamp() - {s_signInLifetime} as is_fresh
             from sessions s
             join accounts a on a.id = s.account_id and a.auth_epoch = s.auth_epoch and a.status = 'active'
             where s.id = {caller.SessionId} and s.account_id = {caller.Account.Id} and s.revoked_at is null
               and s.idle_expires_at > clock_timestamp() and s.expires_at > clock_timestamp()
             """,
            row => new Found(row.Get<bool>("is_admin"), row.Get<bool>("is_fresh")), context.RequestAborted);
    }

    private sealed record Found(bool IsAdmin, bool IsFresh);
}
