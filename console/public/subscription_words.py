"""The words of the pages by which customers leave, in the languages of the footer that leads there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """One language. `{category}` is put in where it stands."""

    leave_title: str
    leave_line: str
    leave_one: str
    leave_all: str
    left_title: str
    left_one: str
    left_all: str
    all_messages: str
    still_sent: str
    preferences_title: str
    preferences_legend: str
    save: str
    saved: str
    change: str
    invalid_title: str
    invalid_line: str
    later_title: str
    later_line: str
    gone_title: str
    gone_line: str
    later_shown: str


WORDS: Mapping[str, Words] = {
    "en": Words(
        leave_title="Unsubscribe",
        leave_line="Do you want to stop these messages? You can change your mind at any time.",
        leave_one="Stop “{category}” messages",
        leave_all="Stop all messages",
        left_title="You are unsubscribed",
        left_one="You will get no more “{category}” messages from us.",
        left_all="You will get no more messages from us.",
        all_messages="All messages",
        still_sent="What belongs to an order or to your account is sent all the same.",
        preferences_title="What may we send you?",
        preferences_legend="I want to get",
        save="Save",
        saved="Your choice is saved and counts from now on.",
        change="Change what you get",
        invalid_title="This link is not valid",
        invalid_line="Please use the link in the last message that you got from us, as a whole.",
        later_title="Please try again in a minute",
        later_line="We could not save your choice just now, and nothing has changed.",
        gone_title="This message is not there",
        gone_line="The link is not valid, or the message is kept no longer.",
        later_shown="We cannot show the message just now.",
    ),
    "pl": Words(
        leave_title="Wypisz się",
        leave_line="Czy chcesz zrezygnować z tych wiadomości? W każdej chwili możesz zmienić zdanie.",
        leave_one="Rezygnuję z wiadomości „{category}”",
        leave_all="Rezygnuję ze wszystkich wiadomości",
        left_title="Wypisano",
        left_one="Nie wyślemy już wiadomości „{category}”.",
        left_all="Nie wyślemy już żadnych wiadomości.",
        all_messages="Wszystkie wiadomości",
        still_sent="Wiadomości dotyczące zamówień i konta wysyłamy nadal.",
        preferences_title="Co możemy wysyłać?",
        preferences_legend="Chcę otrzymywać",
        save="Zapisz",
        saved="Wybór został zapisany i obowiązuje od teraz.",
        change="Zmień swoje preferencje",
        invalid_title="Ten link jest nieprawidłowy",
        invalid_line="Użyj całego linku z ostatniej wiadomości od nas.",
        later_title="Spróbuj ponownie za minutę",
        later_line="Nie udało się teraz zapisać wyboru; nic się nie zmieniło.",
        gone_title="Tej wiadomości nie ma",
        gone_line="Link jest nieprawidłowy albo wiadomość nie jest już przechowywana.",
        later_shown="Nie możemy teraz pokazać tej wiadomości.",
    ),
    "de": Words(
        leave_title="Abmelden",
        leave_line="Möchten Sie diese Nachrichten nicht mehr bekommen? Sie können es jederzeit wieder ändern.",
        leave_one="Keine Nachrichten „{category}“ mehr",
        leave_all="Gar keine Nachrichten mehr",
        left_title="Sie sind abgemeldet",
        left_one="Sie bekommen keine Nachrichten „{category}“ mehr von uns.",
        left_all="Sie bekommen keine Nachrichten mehr von uns.",
        all_messages="Alle Nachrichten",
        still_sent="Was zu einer Bestellung oder zu Ihrem Konto gehört, wird weiterhin verschickt.",
        preferences_title="Was dürfen wir Ihnen schicken?",
        preferences_legend="Ich möchte bekommen",
        save="Speichern",
        saved="Ihre Auswahl ist gespeichert und gilt ab sofort.",
        change="Auswahl ändern",
        invalid_title="Dieser Link ist nicht gültig",
        invalid_line="Bitte nehmen Sie den ganzen Link aus unserer letzten Nachricht.",
        later_title="Bitte versuchen Sie es in einer Minute noch einmal",
        later_line="Ihre Auswahl ließ sich gerade nicht speichern, es hat sich nichts geändert.",
        gone_title="Diese Nachricht ist nicht da",
        gone_line="Der Link ist ungültig, oder die Nachricht wird nicht mehr aufbewahrt.",
        later_shown="Wir können die Nachricht gerade nicht zeigen.",
    ),
    "fr": Words(
        leave_title="Se désabonner",
        leave_line="Voulez-vous ne plus recevoir ces messages ? Vous pourrez changer d’avis à tout moment.",
        leave_one="Ne plus recevoir les messages « {category} »",
        leave_all="Ne plus recevoir aucun message",
        left_title="Vous êtes désabonné(e)",
        left_one="Vous ne recevrez plus de messages « {category} » de notre part.",
        left_all="Vous ne recevrez plus de messages de notre part.",
        all_messages="Tous les messages",
        still_sent="Les messages liés à une commande ou à votre compte restent envoyés.",
        preferences_title="Que pouvons-nous vous envoyer ?",
        preferences_legend="Je souhaite recevoir",
        save="Enregistrer",
        saved="Votre choix est enregistré et s’applique dès maintenant.",
        change="Modifier mes préférences",
        invalid_title="Ce lien n’est pas valable",
        invalid_line="Utilisez le lien entier du dernier message reçu de notre part.",
        later_title="Réessayez dans une minute",
        later_line="Votre choix n’a pas pu être enregistré, rien n’a changé.",
        gone_title="Ce message n’est pas disponible",
        gone_line="Le lien n’est pas valable ou le message n’est plus conservé.",
        later_shown="Nous ne pouvons pas afficher le message pour le moment.",
    ),
    "ja": Words(
        leave_title="配信停止",
        leave_line="このメッセージの配信を停止しますか？いつでも変更できます。",
        leave_one="「{category}」の配信を停止する",
        leave_all="すべての配信を停止する",
        left_title="配信を停止しました",
        left_one="今後「{category}」のメッセージは送信されません。",
        left_all="今後メッセージは送信されません。",
        all_messages="すべてのメッセージ",
        still_sent="ご注文やアカウントに関するお知らせは引き続き送信されます。",
        preferences_title="受け取るメッセージを選んでください",
        preferences_legend="受け取るもの",
        save="保存",
        saved="設定を保存しました。今から適用されます。",
        change="配信設定を変更する",
        invalid_title="このリンクは無効です",
        invalid_line="最後に届いたメッセージのリンク全体をご利用ください。",
        later_title="1分後にもう一度お試しください",
        later_line="現在設定を保存できませんでした。変更はありません。",
        gone_title="このメッセージは表示できません",
        gone_line="リンクが無効か、メッセージの保存期間が終了しています。",
        later_shown="現在メッセージを表示できません。",
    ),
}
"""By language tag; English where a customer reads another."""
